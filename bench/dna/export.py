"""A fingerprint for others: with less in it, or in MLPerf's form. Pure."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

LEFT_OUT = "left out by --anonymize"

# Required by MLPerf's `system_desc_checker` (mlcommons/logging), all of them text.
MLPERF_KEYS = (
    *("submitter", "division", "status", "system_name", "number_of_nodes"),
    *("host_processors_per_node", "host_processor_model_name", "host_processor_core_count"),
    *("host_processor_vcpu_count", "host_processor_frequency", "host_processor_caches"),
    *("host_processor_interconnect", "host_memory_capacity", "host_storage_type", "host_storage_capacity"),
    *("host_networking", "host_networking_topology", "host_memory_configuration"),
    *("accelerators_per_node", "accelerator_model_name", "accelerator_host_interconnect", "accelerator_frequency"),
    *("accelerator_on-chip_memories", "accelerator_memory_configuration", "accelerator_memory_capacity"),
    *("accelerator_interconnect", "accelerator_interconnect_topology", "cooling", "hw_notes"),
    *("framework", "other_software_stack", "operating_system", "sw_notes"),
)
_BY_A_PERSON = ("submitter", "division", "status", "system_name")


def anonymized(document: Mapping[str, Any]) -> dict[str, Any]:
    """A fingerprint's document without what belongs to one moment or one site.

    Nothing in a fingerprint is personal. This goes further: no conditions of the moment, the kernel's and our own
    version without a builder's suffix, and no reasons, which may quote a driver. The ids stay: they are the
    machine's kind, and what a reader compares.
    """
    software = dict(document["software"])
    if "kernel" in software:
        software["kernel"] = re.sub(r"^(\S+ \d+\.\d+).*", r"\1", software["kernel"])
    if "scaling-bench" in software:
        software["scaling-bench"] = software["scaling-bench"].partition("+")[0]
    reasons = {field: "not available" for field in document["unavailable"] if not field.startswith("conditions")}
    return {**document, "software": software, "conditions": {}, "unavailable": {**reasons, "conditions": LEFT_OUT}}


def mlperf(document: Mapping[str, Any]) -> dict[str, str]:
    """MLPerf's system description, as far as it can be measured; what is not known is "", and a note says so.

    Args:
        document: of this fingerprint (`Fingerprint.document`), or one made from it by `anonymized`.
    """
    hardware, software, now = document["identity"], document["software"], document["conditions"]
    cards = hardware.get("gpus", [])
    known = {
        "number_of_nodes": "1",
        "host_processors_per_node": _text(hardware.get("cpu_sockets")),
        "host_processor_model_name": _text(hardware.get("cpu_label", hardware.get("cpu_brand"))),
        "host_processor_core_count": _text(_per_socket(hardware, "cpu_cores")),
        "host_processor_vcpu_count": _text(_per_socket(hardware, "cpu_threads")),
        "host_processor_frequency": f"{now['cpu_mhz']} MHz (mean over the cores when it was read)"
        if "cpu_mhz" in now
        else "",
        "host_processor_caches": ", ".join(
            f"{name} {size} KiB" for name, size in hardware.get("cache_kib", {}).items()
        ),
        "host_memory_capacity": f"{hardware['memory_gib']} GiB" if "memory_gib" in hardware else "",
        "accelerators_per_node": str(len(cards)) if "gpus" in hardware else "",
        "accelerator_model_name": _of_cards(cards, "name"),
        "accelerator_host_interconnect": _of_cards(cards, "pcie_generation", "PCIe gen {}"),
        "accelerator_frequency": _of_cards(cards, "max_sm_clock_mhz", "{} MHz at most"),
        "accelerator_memory_capacity": _of_cards(cards, "memory_gib", "{} GiB"),
        "accelerator_memory_configuration": _of_cards(cards, "memory_bus_bits", "{} bits wide"),
        "framework": f"PyTorch {software['torch']}" if "torch" in software else "",
        "other_software_stack": ", ".join(
            f"{name} {value}" for name, value in software.items() if name not in {"torch", "os", "kernel"}
        ),
        "operating_system": software.get("os", ""),
    }
    answers = {key: known.get(key, "") for key in MLPERF_KEYS}
    empty = [key for key in MLPERF_KEYS if not answers[key] and key not in {*_BY_A_PERSON, "hw_notes", "sw_notes"}]
    answers["hw_notes"] = f"read from the machine by bench, hardware {document['hw_id']}; not known: {', '.join(empty)}"
    answers["sw_notes"] = f"software {document['sw_id']}; to be filled in by a person: {', '.join(_BY_A_PERSON)}"
    return answers


def _per_socket(hardware: Mapping[str, Any], name: str) -> int | None:
    """MLPerf counts cores of one processor; ours are the machine's."""
    total, sockets = hardware.get(name), hardware.get("cpu_sockets")
    return total // sockets if total and sockets else None


def _of_cards(cards: list[dict[str, Any]], name: str, form: str = "{}") -> str:
    """One value where all cards agree; unlike cards are counted."""
    found = Counter(form.format(card[name]) for card in cards if name in card)
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{count} x {value}" for value, count in found.items())


def _text(value: Any) -> str:
    return "" if value is None else str(value)
