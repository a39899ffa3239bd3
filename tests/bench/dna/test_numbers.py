"""The numeric layer is asked of another process once, remembered, and missing with a reason."""

import json

import pytest

from bench.dna import cache, numbers
from bench.dna.facts import UnavailableError

TOLD = {"method": numbers.METHOD, "threads": 2, "one_thread": {"mm": "00"}, "all_threads": {"mm": "00"}}


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """An empty cache, and a list of the arguments that the process was given."""
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    calls = []

    def document_of(module, arguments, **_):
        calls.append((module, *arguments))
        return {**TOLD, "call": len(calls)}

    monkeypatch.setattr(numbers, "document_of", document_of)
    return calls


def test_a_machine_is_asked_once(asked):
    waiting = []
    first = numbers.read("hw", "sw", 2, tell=waiting.append)
    assert numbers.read("hw", "sw", 2, tell=waiting.append) == first == numbers.kept("hw", "sw", 2)
    assert asked == [("bench.dna.numeric", "--threads", "2")]
    assert len(waiting) == 1


@pytest.mark.parametrize("variable", ["ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "CUDA_VISIBLE_DEVICES"])
def test_what_changes_the_numbers_is_asked_anew(asked, monkeypatch, variable):
    monkeypatch.delenv(variable, raising=False)
    numbers.read("hw", "sw", 2)
    for machine in (("other", "sw", 2), ("hw", "other", 2), ("hw", "sw", 3)):
        numbers.read(*machine)
    monkeypatch.setenv(variable, "AVX2")
    numbers.read("hw", "sw", 2)
    assert len(asked) == 5


def test_what_the_ranks_never_see_is_not_asked_for(asked, monkeypatch):
    numbers.read("hw", "sw", 2)
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2")  # not passed on to a rank
    monkeypatch.setenv("HOSTNAME", "zebra")
    numbers.read("hw", "sw", 2)
    assert len(asked) == 1


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_torn_cache_is_asked_again(asked, content):
    numbers.read("hw", "sw", 2)
    numbers.kept_in("hw", "sw", 2).write_text(content)
    assert numbers.read("hw", "sw", 2)["call"] == 2
    assert numbers.read("hw", "sw", 2)["call"] == 2


def test_a_home_that_cannot_be_written_costs_time_only(asked, monkeypatch, tmp_path):
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "a-file" / "cache"))
    assert numbers.read("hw", "sw", 2)["call"] == 1
    assert numbers.read("hw", "sw", 2)["call"] == 2


def test_beside_a_study_nothing_is_run(asked):
    with pytest.raises(UnavailableError, match="must not be disturbed"):
        numbers.kept("hw", "sw", 2)
    assert asked == []


def test_a_device_s_serial_number_is_in_the_key_and_in_no_document():
    assert not [name for name in numbers.VARIABLES if "DEVICE" in name]


@pytest.fixture
def a_module(monkeypatch, tmp_path):
    """A module of this text, which the process finds."""

    def make(text):
        (tmp_path / "stand_in.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return "stand_in"

    return make


def test_the_document_is_what_the_module_prints(a_module):
    module = a_module("import json, os, sys; print(json.dumps([sys.argv[1:], 'RANK' in os.environ]))")
    assert numbers.document_of(module, ("--threads", "2"), timeout_s=60) == [["--threads", "2"], False]


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("import time; time.sleep(60)", UnavailableError, "no answer in 0.5 s"),
        ("print('not json')", UnavailableError, "no answer that is understood"),
        ("raise RuntimeError('cannot open /home/zebra/lib.so')", numbers.DoesNotRunError, "exit code 1.*cannot open …"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", numbers.DoesNotRunError, "exit code -4"),
    ],
)
def test_a_process_that_fails_is_a_reason_without_anybodys_name(a_module, text, kind, reason):
    limit_s = 0.5 if "sleep" in text else 60
    with pytest.raises(kind, match=reason) as raised:
        numbers.document_of(a_module(text), (), timeout_s=limit_s)
    assert "zebra" not in str(raised.value)


def test_without_torch_nothing_is_started(monkeypatch):
    monkeypatch.setattr(numbers.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(numbers.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(UnavailableError, match="torch is not installed"):
        numbers.document_of("bench.dna.numeric", (), timeout_s=1)


def test_the_cache_keeps_machines_apart_and_replaces_whole_files(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    one, other = cache.file_for("kind", {"a": 1}), cache.file_for("kind", {"a": 2})
    assert one != other
    assert cache.load(one) is None
    cache.save(one, {"x": [1]})
    assert json.loads(one.read_text()) == cache.load(one) == {"x": [1]}
    assert [file.name for file in tmp_path.iterdir()] == [one.name]
