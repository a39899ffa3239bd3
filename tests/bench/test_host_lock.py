"""Two studies on one host do not disturb each other's timing unasked."""

import json
import subprocess
import sys

import pytest

from bench import host_lock
from bench.errors import CannotError

HOLDER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from bench import host_lock
with host_lock.held("refuse", print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def busy(tmp_path, monkeypatch):
    """Another process that measures on this host, as far as the folder of locks can tell."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = subprocess.Popen(
        (sys.executable, "-c", HOLDER, str(tmp_path)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    yield other
    other.kill()
    other.communicate()


def test_a_second_study_is_refused_and_told_who_measures(busy) -> None:
    with (
        pytest.raises(CannotError, match=f"another study is measuring on this host .process {busy.pid}, since") as told,
        host_lock.held("refuse", print),
    ):
        pytest.fail("it measured all the same")
    assert "--when-busy wait" in told.value.hint


def test_sharing_a_host_is_possible_and_leaves_a_warning_for_every_row(busy) -> None:
    with host_lock.held("share", print) as warning:
        assert "another study was measuring" in warning


def test_waiting_says_so_and_ends_when_the_other_study_does_however_it_ends(busy) -> None:
    said = []

    def sleep(_s: float) -> None:
        busy.kill()
        busy.wait()

    with host_lock.held("wait", said.append, sleep) as warning:
        assert warning is None
        assert said[0].startswith("Waiting for another study on this host")


def test_a_free_host_is_held_and_let_go(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for _ in range(2):
        with host_lock.held("refuse", print) as warning:
            assert warning is None
            assert json.loads((tmp_path / host_lock.FILE).read_text())["pid"]


def test_a_study_that_may_not_measure_here_is_not_begun(busy, run_bench, tmp_path) -> None:
    """`tmp_path` is the folder of locks too."""
    asked = ("run", "--model", "lenet-small", "--input-shape", "3,32,32", "--device", "cpu", "--steps", "10")
    refused = run_bench(*asked, "--when-busy", "refuse", TMPDIR=str(tmp_path))
    assert refused.returncode == 3, refused
    assert "another study is measuring on this host" in refused.stderr
    assert not list((tmp_path / "results").glob("studies/*"))
