"""Surroundings worse than a machine of one's own: what other launchers left, other studies, a lone loopback, little
shared memory, a clock that is set, too few cores, too little memory. Namespaces and cgroups need root on Linux.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from launchers.local import launch
from tests.faults.faulty_studies import fault, inside, needs_namespaces, outcome, processes_of, rows, study
from tests.faults.gloo_ranks import gloo_command
from tests.noise import assert_no_launch_failed

pytestmark = pytest.mark.faults

# What torchrun, Slurm, a notebook or another study of ours may have left in the shell.
FOREIGN = {
    "RANK": "0",
    "WORLD_SIZE": "1",
    "LOCAL_RANK": "0",
    "MASTER_ADDR": "203.0.113.1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "another",
    "SLURM_NTASKS": "1",
    "SLURM_PROCID": "0",
    "OMP_NUM_THREADS": "64",
    "BENCH_LISTEN_FD": "77",
    "BENCH_RUN_FOLDER": "/nowhere",
    "BENCH_SUPERVISOR_PID": "1",
}


@pytest.mark.slow
def test_two_studies_at_once_under_another_launchers_variables_are_two_worlds_of_two(run_bench, tmp_path) -> None:
    def one(name: str) -> list:
        folder = tmp_path / name
        folder.mkdir()
        ran = run_bench(*study(folder), "--store", folder / "results", "--json", **FOREIGN)
        return assert_no_launch_failed(ran, folder / "results")

    with ThreadPoolExecutor(2) as threads:
        found = [row for one_of_two in threads.map(one, ("first", "second")) for row in one_of_two]
    assert [(outcome(row), row.world_size, row.threads_per_rank) for row in found] == [(("ok", None), 2, 1)] * 2


@pytest.mark.slow
def test_eight_launches_at_once_do_not_want_the_same_port(tmp_path) -> None:
    with ThreadPoolExecutor(8) as threads:
        endings = list(
            threads.map(lambda number: launch(gloo_command(tmp_path / str(number)), lambda _: None), range(8))
        )
    assert [(ending.status, ending.reason) for ending in endings] == [("ok", None)] * 8


@pytest.mark.slow
def test_the_loopback_is_network_enough(tmp_path, environment, store) -> None:
    needs_namespaces("-n")
    ran = inside("ip link set lo up", study(tmp_path), environment, tmp_path, namespaces=("-n",))
    assert_no_launch_failed(ran, store)


def test_without_even_a_loopback_the_launch_says_so_at_once(tmp_path, environment, store) -> None:
    needs_namespaces("-n")  # a new one, in which nobody has switched it on
    ran = inside("true", study(tmp_path), environment, tmp_path, namespaces=("-n",))
    assert ran.returncode == 5, ran.stderr
    [row] = rows(store)
    assert outcome(row) == ("crash", 0)
    assert "127.0.0.1 cannot be reached" in row.reason


def test_little_shared_memory_is_warned_of_and_hinders_nobody(tmp_path, environment, store) -> None:
    """Batches are made in the rank itself, and Gloo talks over the loopback: only NCCL uses /dev/shm."""
    needs_namespaces("-m")
    setup = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
    ran = inside(setup, study(tmp_path), environment, tmp_path, namespaces=("-m",))
    assert "/dev/shm has 0 MB free" in ran.stderr
    assert_no_launch_failed(ran, store)


# An hour back, four seconds after each process has started. The kernel's own clock would move other people's tests.
SET_BACK = """
import time
time_s, time_ns, began_s = time.time, time.time_ns, time.monotonic()
def set_back():
    return 3600 if time.monotonic() - began_s > 4 else 0
time.time = lambda: time_s() - set_back()
time.time_ns = lambda: time_ns() - set_back() * 10**9
"""


@pytest.mark.slow
def test_a_clock_that_is_set_back_changes_no_number_and_no_culprit(run_bench, tmp_path, store) -> None:
    (tmp_path / "sitecustomize.py").write_text(SET_BACK)
    words = study(tmp_path, fault("raise", launch="r01p00"), rounds=2, steps=300, sleep_ms=20)
    ran = run_bench(*words, "--json", PYTHONPATH=str(tmp_path))
    assert ran.returncode == 5, ran
    well, crashed = rows(store)
    assert (outcome(well), outcome(crashed)) == (("ok", None), ("crash", 1))
    assert 0 < well.throughput_sps < 2 * 8 / 0.020  # no faster than it sleeps
    assert all(0 < row.total_s < 300 for row in (well, crashed))


def test_more_threads_than_cores_are_refused_and_flagged_when_allowed(run_bench, tmp_path, store) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = ("run", "--model", "lenet-small", "--device", "cpu", "--strategy", "ddp", "--ranks", 2, "--rounds", 1)
    words = (*words, "--input-shape", "3,32,32", "--steps", 10, "--cores-per-rank", cores)
    refused = run_bench(*words)
    assert refused.returncode == 2, refused
    assert "--allow-oversubscribe" in refused.stderr
    assert not list(store.glob("studies/*"))
    allowed = run_bench(*words, "--allow-oversubscribe", "--json")
    assert_no_launch_failed(allowed, store)
    assert any("more ranks than cores" in warning for warning in allowed.json()["warnings"])


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A memory cgroup of 1.2 GB, version 1 or 2, in which `bench` can be started."""
    if sys.platform != "linux":
        pytest.skip("cgroups are Linux's")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            group, limit = Path("/sys/fs/cgroup/memory") / path.lstrip("/"), "memory.limit_in_bytes"
        elif not controllers and "memory" in _controllers(path):
            group, limit = Path("/sys/fs/cgroup") / path.lstrip("/"), "memory.max"
        else:
            continue
        own = group / f"bench-test-{os.getpid()}"
        try:
            own.mkdir()
            (own / limit).write_text(str(1_200_000_000))
        except OSError as error:
            pytest.skip(f"no memory cgroup can be made in {group}: {error.strerror}")
        yield own
        own.rmdir()
        return
    pytest.skip("no memory controller is given to this process's cgroup")


def _controllers(path: str) -> list[str]:
    try:
        return (Path("/sys/fs/cgroup") / path.lstrip("/") / "cgroup.subtree_control").read_text().split()
    except OSError:
        return []


def test_a_rank_that_takes_all_memory_is_told_from_one_that_was_killed(
    tmp_path, environment, store, memory_group
) -> None:
    setup = f"echo $$ > {memory_group}/cgroup.procs"
    ran = inside(setup, study(tmp_path, fault("fill-host"), rounds=2), environment, tmp_path)
    assert ran.returncode == 5, ran.stderr
    taken, well = rows(store)
    assert (outcome(taken), outcome(well)) == (("oom_kill", 1), ("ok", None))
    assert "memory ran out" in taken.reason
    assert processes_of(tmp_path) == []
