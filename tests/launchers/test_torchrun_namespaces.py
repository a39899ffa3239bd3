"""Real Gloo ranks on hosts with addresses of their own, brought together by the real torchrun."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import network_namespaces
import pytest
from network_namespaces import Network, network

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
    told = json.loads((folder / f"launch-{number}" / "rank0.json").read_text())
    assert told["interface"] == "eth0"
    return statistics.median(told["step_s"])


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
        until_s = time.monotonic() + 30
        while (left := ours(net, 1)) and time.monotonic() < until_s:
            time.sleep(0.1)
        assert left == []


def ours(net: Network, host: int) -> list[str]:
    """The command lines on a host, but for torchrun's own."""
    running = [Path(f"/proc/{pid}/cmdline") for pid in net.processes(host)]
    lines = [file.read_bytes().replace(b"\0", b" ").decode() for file in running if file.exists()]
    return [line for line in lines if line and "torch.distributed.run" not in line]
