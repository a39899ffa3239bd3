"""`bench doctor`: ready or not, with a fix per line."""

import json
import subprocess
import sys

import pytest

from bench import cli, health, host_lock
from bench.dna import machine, numbers
from bench.dna.child import DoesNotRunError
from bench.dna.facts import UnavailableError
from bench.health import Check

WELL = Check(name="memory", level="ok", text="24 GB of memory free")
BUSY = Check(name="load", level="warning", text="busy: load 3.0", fix="end what else runs")
TAKEN = Check(name="gpu_processes", level="refusal", text="GPU 0 is in use", fix="wait for it")


@pytest.fixture
def doctor(capsys, monkeypatch, tmp_path):
    """Run `bench doctor` on a machine where this is found, or on this one: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words, finds=None):
        if finds is not None:
            monkeypatch.setattr(host_lock, "is_held", lambda: True)  # torch is not tried
            monkeypatch.setattr(health, "as_it_is", lambda *_: finds)
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor", *words])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


def test_a_machine_that_is_well_is_ready(doctor):
    assert doctor(finds=[WELL]) == (0, "✓ 24 GB of memory free\nReady.\n", "")


def test_what_may_disturb_comes_with_its_fix_and_is_no_failure(doctor):
    code, out, _ = doctor(finds=[BUSY, BUSY, WELL])
    assert code == 0
    assert out.splitlines()[:2] == ["! busy: load 3.0", "    fix: end what else runs"]
    assert out.splitlines()[-1] == "Ready, with 2 warnings."


def test_what_stands_in_the_way_exits_with_3(doctor):
    code, out, _ = doctor(finds=[TAKEN, BUSY, WELL])
    assert code == 3
    assert out.splitlines()[0] == "✗ GPU 0 is in use"
    assert out.splitlines()[-1] == "Not ready: 1 thing to fix first."


def test_json_is_one_document(doctor):
    code, out, _ = doctor("--json", finds=[TAKEN, WELL])
    document = json.loads(out)
    assert code == document["exit"] == 3
    assert (document["schema"], document["ready"]) == ("bench.doctor/1", False)
    assert document["checks"][0] == {
        "name": "gpu_processes",
        "level": "refusal",
        "text": "GPU 0 is in use",
        "fix": "wait for it",
    }


def test_this_machine_is_looked_at_and_left_as_it_is(doctor, tmp_path):
    code, out, _ = doctor("--json", "--fast", "--store", str(tmp_path / "results"))
    document = json.loads(out)
    assert code == (0 if document["ready"] else 3)
    assert {"torch", "store"} <= {check["name"] for check in document["checks"]}
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_is_not_ready(doctor, tmp_path):
    (tmp_path / "a-file").touch()
    code, out, _ = doctor("--fast", "--store", str(tmp_path / "a-file" / "results"))
    assert code == 3
    assert "cannot be written" in out


def test_a_stream_without_tick_marks_gets_letters(run_bench):
    ran = run_bench("doctor", "--fast", PYTHONIOENCODING="ascii")
    assert ran.returncode in {0, 3}, str(ran)
    marks = {line.split()[0] for line in ran.stdout.splitlines()[:-1]}
    assert marks <= {"ok", "!", "x", "fix:"}
    assert "\\u" not in ran.stdout


@pytest.fixture
def answering(monkeypatch, tmp_path, canaries):
    """Have torch answer the canaries with this, from an empty cache; gives the thread count of each process."""
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(host_lock, "is_held", lambda: False)

    def answer(digest=None, error=None):
        def found():
            if error is not None:
                raise error
            return {"one_thread": {"mm": "00", "softmax": digest}, "all_threads": {"mm": "00", "softmax": digest}}

        return canaries(found)

    return answer


def numbers_check(doctor, *words):
    code, out, _ = doctor("--json", *words)
    found = [check for check in json.loads(out)["checks"] if check["name"] == "numbers"]
    return code, found[0] if found else None


def test_numbers_as_last_time_are_well_and_others_are_a_warning(doctor, answering):
    answering("aa")
    _, first = numbers_check(doctor)
    assert first["level"] == "ok"
    assert "kept" in first["text"]
    _, again = numbers_check(doctor)
    assert (again["level"], "as last time, bit for bit in 2 operations" in again["text"]) == ("ok", True)
    answering("bb")
    _, changed = numbers_check(doctor)
    assert changed["level"] == "warning"
    assert changed["text"].endswith(": softmax")
    assert "numeric-" in changed["fix"]
    answering("aa")
    assert numbers_check(doctor)[1]["level"] == "ok", "what was kept first is what counts"


def test_a_torch_that_does_not_run_is_not_ready(doctor, answering):
    answering(error=DoesNotRunError("its process ended with exit code -4: no message"))
    code, check = numbers_check(doctor)
    assert (code, check["level"]) == (3, "refusal")
    assert "exit code -4" in check["text"]
    assert "python -c" in check["fix"]


def test_a_torch_that_takes_too_long_may_be_well(doctor, answering):
    answering(error=UnavailableError("no answer in 30 s"))
    _, check = numbers_check(doctor)
    assert check["level"] == "warning"


def test_torch_is_not_tried_when_it_must_be_quick_or_beside_a_study(doctor, answering, monkeypatch):
    begun = answering(error=AssertionError("it was tried"))
    assert numbers_check(doctor, "--fast")[1] is None
    monkeypatch.setattr(host_lock, "is_held", lambda: True)
    assert numbers_check(doctor)[1] is None
    assert begun == []


def test_torch_is_imported_beside_the_other_checks_and_computes_after_them(doctor, answering, monkeypatch):
    order = []
    looks, looks_at_host, asks = machine.here, health.host.checks, numbers.measure
    begun = answering("aa")
    begins = numbers.begin
    monkeypatch.setattr(numbers, "begin", lambda threads: (order.append("torch begins"), begins(threads))[1])
    monkeypatch.setattr(machine, "here", lambda: (order.append("machine"), looks())[1])
    monkeypatch.setattr(health.host, "checks", lambda *given: (order.append("load"), looks_at_host(*given))[1])
    monkeypatch.setattr(numbers, "measure", lambda *a, **k: (order.append("torch computes"), asks(*a, **k))[1])
    numbers_check(doctor)
    assert order == ["torch begins", "machine", "load", "torch computes"]
    assert len(begun) == 1


def test_torch_is_imported_in_its_own_process_only_and_no_table_s_library_in_any(tmp_path):
    script = """
import sys
from bench import host_lock
from bench.cli import main
host_lock.is_held = lambda: False  # whoever else measures on this machine
try:
    main(["doctor"])
except SystemExit:
    print([name for name in ("torch", "numpy", "pyarrow", "pandas") if name in sys.modules])
"""
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    assert "torch runs" in output
    assert output.splitlines()[-1] == "[]"
