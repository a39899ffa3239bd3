"""A fingerprint for others: MLPerf's 33 texts, and one with less in it."""

import copy

import pytest

from bench.dna import export

DOCUMENT = {
    "schema": "bench.dna/1",
    "hw_id": "hw",
    "sw_id": "sw",
    "num_id": None,
    "identity": {
        "cpu_label": "Zen",
        "cpu_sockets": 2,
        "cpu_cores": 64,
        "cpu_threads": 128,
        "cache_kib": {"L1d": 32, "L2": 1024},
        "memory_gib": 512,
        "gpus": [{"name": "H100", "memory_gib": 80, "pcie_generation": 5, "max_sm_clock_mhz": 1980}] * 4,
    },
    "conditions": {"load_1m": 0.3, "cpu_mhz": 2600},
    "software": {"torch": "2.15.0", "os": "Debian 12", "kernel": "Linux 6.18.44-acme-7", "scaling-bench": "0.1+acme"},
    "numeric": None,
    "measured": None,
    "unavailable": {"num_id": "canaries: not asked for", "conditions.governor": "no such file"},
}


@pytest.fixture
def document():
    return copy.deepcopy(DOCUMENT)


def test_all_keys_of_mlperf_are_there_and_each_is_text(document):
    exported = export.mlperf(document)
    assert len(exported) == 33
    assert list(exported) == list(export.MLPERF_KEYS)
    assert all(isinstance(value, str) for value in exported.values())


def test_what_was_read_stands_in_mlperfs_places(document):
    exported = export.mlperf(document)
    assert exported["host_processors_per_node"] == "2"
    assert exported["host_processor_core_count"] == "32", "of one processor"
    assert exported["host_processor_vcpu_count"] == "64"
    assert exported["host_memory_capacity"] == "512 GiB"
    assert exported["accelerators_per_node"] == "4"
    assert exported["accelerator_model_name"] == "H100"
    assert exported["accelerator_memory_capacity"] == "80 GiB"
    assert exported["accelerator_host_interconnect"] == "PCIe gen 5"
    assert exported["framework"] == "PyTorch 2.15.0"


def test_unlike_cards_are_counted(document):
    document["identity"]["gpus"] = [{"name": "H100"}, {"name": "H100"}, {"name": "L4"}]
    assert export.mlperf(document)["accelerator_model_name"] == "2 x H100, 1 x L4"


def test_what_is_not_known_is_empty_and_named_in_the_notes(document):
    del document["identity"]["memory_gib"], document["conditions"]["cpu_mhz"]
    exported = export.mlperf(document)
    for key in ("host_memory_capacity", "host_processor_frequency", "cooling", "host_networking"):
        assert exported[key] == ""
        assert key in exported["hw_notes"]
    for key in ("submitter", "division", "status", "system_name"):
        assert exported[key] == ""
        assert key in exported["sw_notes"]
    assert "accelerators_per_node" not in exported["hw_notes"]


def test_a_machine_without_gpus_says_none_and_one_that_cannot_tell_says_nothing(document):
    document["identity"]["gpus"] = []
    assert export.mlperf(document)["accelerators_per_node"] == "0"
    del document["identity"]["gpus"]
    assert export.mlperf(document)["accelerators_per_node"] == ""


def test_anonymized_has_the_ids_and_nothing_of_the_moment_or_the_site(document):
    exported = export.anonymized(document)
    assert (exported["hw_id"], exported["sw_id"]) == ("hw", "sw")
    assert exported["conditions"] == {}
    assert exported["software"]["kernel"] == "Linux 6.18"
    assert exported["software"]["scaling-bench"] == "0.1"
    assert exported["unavailable"] == {"num_id": "not available", "conditions": export.LEFT_OUT}
    assert document == DOCUMENT, "the original stays"
    assert export.mlperf(exported)["host_processor_frequency"] == ""
