"""A fact is a value, absent, or unreadable; and what becomes of texts and programs of somebody else's."""

import os
import time

import psutil
import pytest

from bench.dna import facts
from bench.dna.facts import AbsentError, UnavailableError


def raising(error):
    def read():
        raise error

    return read


@pytest.mark.parametrize(
    "error",
    [
        NotImplementedError("can't find current frequency file"),
        UnicodeDecodeError("utf-8", b"\xf8", 0, 1, "invalid start byte"),
        TypeError("int() argument must be a string"),
        AttributeError("sensors"),
        ZeroDivisionError("division by zero"),
        psutil.AccessDenied(),
        UnavailableError("hidden"),
        PermissionError(13, "Permission denied", "/sys/x"),
        KeyError("cpu"),
    ],
)
def test_one_fact_that_cannot_be_read_costs_itself_only(error):
    found = facts.gather({"good": lambda: 1, "bad": raising(error)})
    assert found.values == {"good": 1}
    assert found.unavailable["bad"].startswith("unreadable: ")
    assert not facts.is_absent(found.unavailable["bad"])


def test_what_is_not_there_is_another_thing_than_what_cannot_be_read():
    found = facts.gather({"none": raising(AbsentError("no battery"))})
    assert found.unavailable == {"none": "absent: no battery"}
    assert facts.is_absent(found.unavailable["none"])


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "/home/rosa meier/lib/torch/version.py"),
        OSError("cannot open '/Users/rosa.meier/x y.so': no such file"),
        ValueError("bad value in ~/rosa/settings"),
        RuntimeError('"C:\\rosa\\x" is not there'),
    ],
)
def test_a_reason_names_nobody_s_folder(error):
    described = facts.gather({"bad": raising(error)}).unavailable["bad"]
    assert "rosa" not in described
    assert "meier" not in described


def test_the_kernel_s_own_files_are_named():
    assert facts.plain("/proc/cpuinfo does not tell 'model'") == "/proc/cpuinfo does not tell 'model'"
    assert (
        facts.plain("'/sys/class/powercap/intel-rapl:0/name': denied")
        == "'/sys/class/powercap/intel-rapl:0/name': denied"
    )
    assert facts.plain("/sys/../home/rosa/x") == "…"


def test_a_program_that_hangs_leaves_nobody_behind(tmp_path):
    program = tmp_path / "hang"
    program.write_text(
        "#!/bin/sh\necho $$ > pids\nsleep 60 & echo $! >> pids\nwait\n".replace("pids", str(tmp_path / "pids"))
    )
    program.chmod(0o755)
    with pytest.raises(UnavailableError, match="gave no answer"):
        facts.answer_of([str(program)], called="it", timeout_s=1)
    pids = [int(each) for each in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_answer_that_is_no_text_is_an_answer_all_the_same(tmp_path):
    program = tmp_path / "odd"
    program.write_bytes(b"#!/bin/sh\nprintf 'Card \\370'\n")
    program.chmod(0o755)
    assert facts.answer_of([str(program)], called="it", timeout_s=30) == "Card \ufffd"


def test_a_process_without_a_home_has_reasons_as_well(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert facts.plain("nothing of a path") == "nothing of a path"
