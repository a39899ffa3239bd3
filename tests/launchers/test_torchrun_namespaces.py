"""Real Gloo ranks on hosts with addresses of their own, brought together by the real torchrun."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.launchers import network_namespaces
from tests.launchers.network_namespaces import Network, network

STUDY = Path(__file__).with_name("torchrun_study.py")
PORT = 29500

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def _namespaces():
    if reason := network_namespaces.why_not():
        pytest.skip(reason)


def start(net: Network, folder: Path, *launches: str) -> list[subprocess.Popen[str]]:
    """The same command on every host."""
    words = (sys.executable, "-P", STUDY, folder, net.hosts, f"{net.address(0)}:{PORT}", *launches)
    return [
        net.run(host, list(map(str, words)), stdout=(folder / f"host-{host}.log").open("w"), stderr=subprocess.STDOUT)
        for host in range(net.hosts)
    ]


def ending(folder: Path, number: int, *, within_s: float = 240) -> dict:
    """Let a launch begin, and wait for its end."""
    (folder / f"go-{number}").touch()
    file = folder / f"ending-{number}.json"
    return json.loads(wait_for(file, folder, within_s=within_s).read_text())


def wait_for(file: Path, folder: Path, *, within_s: float) -> Path:
    until_s = time.monotonic() + within_s
    while not file.exists():
        if time.monotonic() > until_s:
            pytest.fail("\n".join(log.read_text() for log in folder.glob("host-*.log")))
        time.sleep(0.05)
    return file


def step_s(folder: Path, number: int) -> float:
    result = json.loads((folder / f"launch-{number}" / "rank0.json").read_text())
    assert result["interface"] == "eth0"
    return statistics.median(result["step_s"])


def test_the_narrower_the_link_the_longer_a_step_takes(tmp_path):
    speeds = (100, 200, 1000)
    with network(2) as net:
        processes = start(net, tmp_path, *["2x15"] * len(speeds))
        times_s = {}
        for number, speed in enumerate(speeds):
            net.throttle(speed)
            ended = ending(tmp_path, number)
            assert (ended["status"], ended["reason"], ended["exit_codes"]) == ("ok", None, [0, 0])
            times_s[speed] = step_s(tmp_path, number)
        print({speed: f"{1000 * taken_s:.1f} ms" for speed, taken_s in times_s.items()})
        assert [process.wait(60) for process in processes] == [0, 0]
    # The bytes of a step and the speeds of the links say how much; what else a step costs makes it less.
    assert 1.5 < times_s[100] / times_s[200] < 2.5
    assert 2.0 < times_s[200] / times_s[1000] < 6.0


def test_launches_of_one_two_and_four_nodes_follow_each_other(tmp_path):
    with network(4) as net:
        processes = start(net, tmp_path, "1x5", "2x5", "4x5")
        for number, nodes in enumerate((1, 2, 4)):
            ended = ending(tmp_path, number)
            assert (ended["status"], ended["reason"], ended["exit_codes"]) == ("ok", None, [0] * nodes)
        assert [process.wait(60) for process in processes] == [0] * 4


def test_a_node_that_is_cut_off_in_mid_launch_is_named_and_leaves_nothing_running(tmp_path):
    with network(2) as net:
        net.throttle(1000)
        start(net, tmp_path, "2x1000000")
        (tmp_path / "go-0").touch()
        at_step = wait_for(tmp_path / "at-step", tmp_path, within_s=120)
        while int(at_step.read_text() or 0) < 10:
            time.sleep(0.1)
        net.cut(1)
        cut_s = time.monotonic()
        ended = ending(tmp_path, 0, within_s=60)
        print(f"ended {time.monotonic() - cut_s:.1f} s after the cut: {ended['reason']}")
        assert (ended["status"], ended["failed_rank"]) == ("lost", 1)
        assert ended["reason"].startswith("node 1 (")
        # What is ours ends on the node that is cut off, too. Its torchrun asks for its rendezvous for minutes.
        assert left_after(30, net, 1) == []


def test_a_node_whose_follower_is_killed_costs_the_launches_that_need_it_and_no_other(tmp_path):
    with network(2) as net:
        processes = start(net, tmp_path, "2x1000000", "1x5", "2x5")
        (tmp_path / "go-0").touch()
        wait_for(tmp_path / "at-step", tmp_path, within_s=120)
        for pid in net.processes(1):
            if "torchrun_study.py" in command_line(pid) and "torch.distributed.run" not in command_line(pid):
                os.kill(pid, signal.SIGKILL)
        ended = [ending(tmp_path, number) for number in range(3)]
        assert [each["status"] for each in ended] == ["lost", "ok", "lost"]
        assert [each["failed_rank"] for each in ended] == [1, None, 1]
        # The torchrun of node 0 now waits 300 s for that of node 1, and says nothing; all that is ours has ended.
        assert processes[1].wait(60) == 1
        assert left_after(30, net, 0) == left_after(30, net, 1) == []


def left_after(seconds: float, net: Network, host: int) -> list[int]:
    """What of ours still runs on a host so long from now; returns at once when nothing does."""
    until_s = time.monotonic() + seconds
    while (left := ours(net, host)) and time.monotonic() < until_s:
        time.sleep(0.1)
    return left


def ours(net: Network, host: int) -> list[int]:
    """The processes on a host, but for torchrun's own."""
    return [pid for pid in net.processes(host) if "torch.distributed.run" not in command_line(pid)]


def command_line(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return ""
