"""Two studies on one host do not disturb each other's timing unasked, whatever of the host each of them sees."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

from bench import host_lock
from bench.errors import CannotError

HOLDER = """
import json, sys
from bench import host_lock
host_lock._FOLDERS, host_lock._SOCKET = json.loads(sys.argv[1]), sys.argv[2]
host_lock._rank = lambda: None
host_lock.tempfile.gettempdir = lambda: sys.argv[3]
with host_lock.held("refuse", print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Places that only this test has: somebody may measure on this machine."""
    monkeypatch.setattr(host_lock, "_FOLDERS", (str(tmp_path / "shared"),))
    monkeypatch.setattr(host_lock, "_SOCKET", f"\0bench-test-{os.getpid()}")
    monkeypatch.setattr(host_lock, "_rank", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "mine"))
    for name in ("shared", "mine", "theirs"):
        (tmp_path / name).mkdir()


@pytest.fixture
def hold(own, tmp_path):
    """Another process that measures on this host, and has these of its places."""
    started = []

    def start(folders=("shared",), sock=None, temporary="theirs"):
        places = [str(tmp_path / each) for each in folders]
        name = f"bench-test-{os.getpid()}{'' if sock is None else sock}"
        words = (
            sys.executable,
            "-c",
            HOLDER.replace("sys.argv[2]", f"'\\0{name}'"),
            json.dumps(places),
            "",
            str(tmp_path / temporary),
        )
        other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(other)
        assert other.stdout.readline() == "held\n"
        return other

    yield start
    for other in started:
        other.kill()
        other.communicate()


def test_a_second_study_is_refused_and_told_who_measures(hold) -> None:
    busy = hold()
    with (
        pytest.raises(
            CannotError, match=f"another study is measuring on this host .process {busy.pid}, since"
        ) as found,
        host_lock.held("refuse", print),
    ):
        pytest.fail("it measured all the same")
    assert "--when-busy wait" in found.value.hint


@pytest.mark.parametrize(
    "places",
    [
        {"folders": ("shared",), "sock": "-of another network"},
        {"folders": (), "temporary": "mine", "sock": "-of another network"},
        pytest.param(
            {"folders": ()}, marks=pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
        ),
    ],
    ids=["another network and TMPDIR", "no folder of the host's", "other mounts"],
)
def test_one_place_that_both_see_is_enough(hold, places) -> None:
    hold(**places)
    with pytest.raises(CannotError), host_lock.held("refuse", print):
        pass


def test_who_shares_no_place_is_not_met_by_a_place(hold) -> None:
    hold(folders=(), sock="-of another network")
    with host_lock.held("refuse", print) as warning:
        assert warning is None


def test_a_rank_of_a_study_that_shares_no_place_is_seen_running(own, monkeypatch) -> None:
    monkeypatch.undo()
    rank = subprocess.Popen([sys.executable, "-c", "input()", "-m", "bench.worker"], stdin=subprocess.PIPE)
    try:
        assert host_lock._rank() is not None
    finally:
        rank.communicate()


def test_sharing_a_host_is_possible_and_leaves_a_warning_for_every_row(hold) -> None:
    hold()
    with host_lock.held("share", print) as warning:
        assert "another study was measuring" in warning


def test_waiting_says_so_and_ends_when_the_other_study_does_however_it_ends(hold) -> None:
    busy, said = hold(), []

    def sleep(_s: float) -> None:
        busy.kill()
        busy.wait()

    with host_lock.held("wait", said.append, sleep) as warning:
        assert warning is None
        assert said[0].startswith("Waiting for another study on this host")


def test_a_free_host_is_held_and_let_go(own, tmp_path) -> None:
    for _ in range(2):
        with host_lock.held("refuse", print) as warning:
            assert warning is None
            assert json.loads((tmp_path / "shared" / host_lock.FILE).read_text())["pid"]
            assert host_lock.is_held()
    assert not host_lock.is_held()


def test_a_host_without_a_temporary_folder_is_held_where_that_can_be(own, monkeypatch) -> None:
    def no_folder() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", no_folder)
    with host_lock.held("refuse", print):
        assert host_lock.is_held()


@pytest.mark.parametrize("what", ["a link", "a pipe", "a folder", "a file that may not be opened"])
def test_what_somebody_put_in_the_lock_s_place_is_passed_over(own, tmp_path, what) -> None:
    place = tmp_path / "shared" / host_lock.FILE
    match what:
        case "a link":
            place.symlink_to(tmp_path / "victim")
        case "a pipe":
            os.mkfifo(place)
        case "a folder":
            place.mkdir()
        case _:
            place.touch(mode=0o000)
    with host_lock.held("refuse", print) as warning:
        assert warning is None
    assert not (tmp_path / "victim").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_in_a_container_it_is_said_who_cannot_be_seen(monkeypatch) -> None:
    inode = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116
    monkeypatch.setattr(host_lock, "_HOSTS_PIDS", inode)
    assert host_lock.unseen() is None
    monkeypatch.setattr(host_lock, "_HOSTS_PIDS", inode + 1)
    assert "in a container" in host_lock.unseen()


def test_a_study_that_may_not_measure_here_is_not_begun(run_bench, tmp_path) -> None:
    """In the real places, and with another TMPDIR; whoever holds them meanwhile will do."""
    with contextlib.ExitStack() as ours:
        ours.enter_context(host_lock.held("share", print))
        (tmp_path / "another").mkdir()
        asked = ("run", "--model", "lenet-small", "--input-shape", "3,32,32", "--device", "cpu", "--steps", "10")
        refused = run_bench(*asked, "--when-busy", "refuse", TMPDIR=str(tmp_path / "another"))
    assert refused.returncode == 3, refused
    assert "another study is measuring on this host" in refused.stderr
    assert not list((tmp_path / "results").glob("studies/*"))
