"""The whole of `bench` over hosts that are joined by links of known speed: what the table says is why it is slow."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.launchers import network_namespaces
from tests.launchers.network_namespaces import network
from tests.noise import assert_no_launch_failed

pytestmark = pytest.mark.slow

GRADIENT_BYTES, SLEEP_S = 1_000_000, 0.1
PROFILE = f"""
[model]
name = "known-answer"

[model.options]
sleep_ms = {1000 * SLEEP_S}
gradient_bytes = {GRADIENT_BYTES}

[data]
input_shape = [3, 8, 8]
classes = 10

[measure]
warmup = 5
steps = 30
rounds = 1

[scale]
device = "cpu"
cores_per_rank = 1
batch = 32
"""


@pytest.fixture(autouse=True, scope="module")
def _namespaces():
    if reason := network_namespaces.why_not():
        pytest.skip(reason)


def measured(net, tmp_path: Path, environment: dict[str, str], speed: int) -> tuple[dict, list[str]]:
    """The row of two hosts at a speed in Mbit/s, and the study's warnings."""
    folder = tmp_path / str(speed)
    folder.mkdir()
    (folder / "asked.toml").write_text(PROFILE)
    words = (str(Path(sys.executable).parent / "bench"), "run", "--profile", "asked.toml", "--json")
    words += ("--launcher", "torchrun", "--nodes", "2", "--rdzv", f"{net.address(0)}:29500")
    processes = [
        net.run(host, words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for host in range(2)
    ]
    outputs = [process.communicate(timeout=900) for process in processes]
    ended = [
        SimpleNamespace(returncode=process.returncode, stdout=stdout, stderr=stderr)
        for process, (stdout, stderr) in zip(processes, outputs, strict=True)
    ]
    leader, follower = sorted(ended, key=lambda each: not each.stdout.strip())  # only the leader prints
    assert_no_launch_failed(leader, Path(environment["BENCH_STORE"]))
    assert (follower.returncode, follower.stdout) == (0, "")
    document = json.loads(leader.stdout)
    return document["rows"][-1], document["warnings"]


def test_throughput_falls_as_the_link_narrows_and_the_table_says_that_communication_is_why(tmp_path, environment):
    """Two ranks exchange every gradient once in each direction, so a step takes the sleep and bytes x 8 / speed."""
    rates, shares = {}, {}
    with network(2) as net:
        for speed in (1000, 200, 100):
            net.throttle(speed)
            row, warnings = measured(net, tmp_path, environment, speed)
            rates[speed], shares[speed] = row["throughput"]["estimate"], row["communication"]
            exchange_s = GRADIENT_BYTES * 8 / (speed * 1e6)
            print(f"{speed} Mbit/s: {rates[speed]:.1f} samples/s, {shares[speed]:.1%} communication")
            assert row["nodes"] == 2
            assert shares[speed] == pytest.approx(exchange_s / (SLEEP_S + exchange_s), abs=0.12)
            assert any("2 nodes are 1 running machine" in each for each in warnings)  # which these hosts are
            said = any("communication is what holds it back" in each for each in warnings)
            assert said == (shares[speed] > 0.2)
    assert rates[1000] > 1.1 * rates[200] > 1.1 * 1.1 * rates[100]
