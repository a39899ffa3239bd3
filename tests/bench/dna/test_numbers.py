"""The numeric layer is asked of another process once, remembered, and missing with a reason."""

import json
from dataclasses import replace

import pytest

from bench.dna import cache, numbers
from bench.dna.facts import UnavailableError

HERE = numbers.Circumstances("hw", "sw", 2)
KEPT = {"method": numbers.METHOD, "threads": 2, "one_thread": {"mm": "00"}, "all_threads": {"mm": "00"}}


@pytest.fixture
def asked(monkeypatch, tmp_path, canaries):
    """An empty cache, and a list of the thread counts that the canaries were asked for."""
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    begun = canaries(lambda: {**KEPT, "call": len(begun)})
    return begun


def test_a_machine_is_asked_once(asked):
    waiting = []
    first = numbers.read(HERE, tell=waiting.append)
    assert numbers.read(HERE, tell=waiting.append) == first == numbers.kept(HERE)
    assert asked == [2]
    assert len(waiting) == 1


@pytest.mark.parametrize("variable", ["ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "CUDA_VISIBLE_DEVICES"])
def test_what_changes_the_numbers_is_asked_anew(asked, monkeypatch, variable):
    monkeypatch.delenv(variable, raising=False)
    numbers.read(HERE)
    for changed in ({"hw_id": "other"}, {"sw_id": "other"}, {"threads": 3}):
        numbers.read(replace(HERE, **changed))
    monkeypatch.setenv(variable, "AVX2")
    numbers.read(HERE)
    assert len(asked) == 5


def test_what_the_ranks_never_see_is_not_asked_for(asked, monkeypatch):
    numbers.read(HERE)
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2")  # not passed on to a rank
    monkeypatch.setenv("HOSTNAME", "zebra")
    numbers.read(HERE)
    assert len(asked) == 1


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_torn_cache_is_asked_again(asked, content):
    numbers.read(HERE)
    numbers.kept_in(HERE).write_text(content)
    assert numbers.read(HERE)["call"] == 2
    assert numbers.read(HERE)["call"] == 2


def test_a_home_that_cannot_be_written_costs_time_only(asked, monkeypatch, tmp_path):
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "a-file" / "cache"))
    assert numbers.read(HERE)["call"] == 1
    assert numbers.read(HERE)["call"] == 2


def test_beside_a_study_nothing_is_run(asked):
    with pytest.raises(UnavailableError, match="must not be disturbed"):
        numbers.kept(HERE)
    assert asked == []


def test_a_device_s_serial_number_is_in_the_key_and_in_no_document():
    assert not [name for name in numbers.VARIABLES if "DEVICE" in name]


def test_the_cache_keeps_machines_apart_and_replaces_whole_files(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    one, other = cache.file_for("kind", {"a": 1}), cache.file_for("kind", {"a": 2})
    assert one != other
    assert cache.load(one) is None
    cache.save(one, {"x": [1]})
    assert json.loads(one.read_text()) == cache.load(one) == {"x": [1]}
    assert [file.name for file in tmp_path.iterdir()] == [one.name]


def test_the_threads_of_the_canaries_do_not_spin_for_a_core_that_another_program_has(monkeypatch):
    begun = []
    monkeypatch.setattr(numbers, "Child", lambda *words, variables: begun.append((words, variables)))
    numbers.begin(2)
    (((module, arguments), variables),) = begun
    assert (module, arguments[:2]) == ("bench.dna.numeric", ("--threads", "2"))
    assert variables == {"OMP_WAIT_POLICY": "passive"}
