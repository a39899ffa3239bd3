"""What is asked for against what there is."""

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from bench.dna.machine import Machine
from bench.dna.nvidia import NvidiaCards
from bench.health import capacity
from bench.health.capacity import Demand
from bench.store import fsops

TWO_RANKS = Demand(device="cpu", ranks=2, cuda_devices=0, oversubscribed=False, store_bytes=10**9)
ONE_RANK = Demand(device="cpu", ranks=1, cuda_devices=0, oversubscribed=False, store_bytes=0)
ONE_GPU = Demand(device="cuda", ranks=1, cuda_devices=1, oversubscribed=False, store_bytes=0)
TWO = Machine(cpu_ids=(0, 1), pinnable=True, memory_bytes=16 * 2**30)


@pytest.fixture
def look(tmp_path, monkeypatch):
    """What is found with so many bytes free in /dev/shm and in memory, and this quota: {name: Check}."""

    def found(asked=TWO_RANKS, machine=TWO, shm=10**9, available=8 * 2**30, quota=None, shown=4):
        (tmp_path / "dev/shm").mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc/self").mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/fs/cgroup").mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc/self/cgroup").write_text("0::/\n")
        (tmp_path / "sys/fs/cgroup/cpu.max").write_text(f"{quota or 'max'} 100000\n")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=shm))
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=available))
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(shown)), raising=False)
        return {check.name: check for check in capacity.checks(asked, machine, tmp_path)}

    return found


@pytest.mark.parametrize(("free", "level"), [(128_000_000, "ok"), (127_999_999, "warning"), (16 * 2**20, "warning")])
def test_dev_shm_must_hold_64_mb_a_rank(look, free, level):
    check = look(shm=free)["shared_memory"]
    assert check.level == level
    if level == "warning":
        assert "2 ranks may need 128 MB" in check.text
        assert "--shm-size=1g" in check.fix


def test_dev_shm_matters_to_several_ranks_and_to_cuda_and_not_to_one_process_on_a_cpu(look):
    assert "shared_memory" not in look(ONE_RANK, shm=0)
    assert look(ONE_GPU, shm=0)["shared_memory"].level == "warning"


def test_a_system_without_dev_shm_has_no_such_check(look, tmp_path, monkeypatch):
    look()
    monkeypatch.undo()
    (tmp_path / "dev/shm").rmdir()
    assert "shared_memory" not in {check.name for check in capacity.checks(TWO_RANKS, TWO, tmp_path)}


def test_a_quota_below_the_cores_shown_is_told_with_both_numbers(look):
    check = look(quota=150_000)["cpu_quota"]
    assert (check.level, check.text) == (
        "warning",
        "4 cores are shown and 1.5 are paid for: whoever uses more is paused",
    )
    assert look(quota=400_000)["cpu_quota"].level == "ok"
    assert "cpu_quota" not in look(quota=None)


def test_memory_is_what_the_container_and_the_others_leave(look):
    assert look()["memory"].level == "ok"
    assert look(available=2**30)["memory"].level == "warning"
    small = Machine(cpu_ids=(0, 1), pinnable=True, memory_bytes=2**30)
    check = look(machine=small)["memory"]
    assert check.level == "warning"
    assert "2 ranks may take 2.1 GB" in check.text
    assert look(ONE_RANK, machine=small)["memory"].level == "ok"


def test_oversubscription_that_was_allowed_is_told_all_the_same(look):
    asked = Demand(device="cpu", ranks=4, cuda_devices=0, oversubscribed=True, store_bytes=0)
    assert look(asked)["oversubscription"].level == "warning"
    assert "oversubscription" not in look()


def test_a_plan_asks_for_its_largest_row(a_plan):
    asked = capacity.of_plan(a_plan())
    assert (asked.device, asked.ranks, asked.cuda_devices, asked.store_bytes) == ("cpu", 2, 0, 1000)


@pytest.mark.parametrize(
    ("machine", "device", "ranks", "devices"),
    [
        (TWO, "cpu", 2, 0),
        (Machine(cpu_ids=tuple(range(64)), pinnable=True, memory_bytes=1), "cpu", 8, 0),
        (Machine(cpu_ids=(0,), pinnable=True, memory_bytes=1, cards=NvidiaCards(names=("H100",) * 4)), "cuda", 4, 4),
        (Machine(cpu_ids=(0, 1), pinnable=False, memory_bytes=1, mps=True), "mps", 1, 0),
    ],
)
def test_the_whole_machine_is_its_accelerators_or_else_its_cores(machine, device, ranks, devices):
    asked = capacity.of_whole(machine)
    assert (asked.device, asked.ranks, asked.cuda_devices) == (device, ranks, devices)


@pytest.mark.parametrize(
    ("free", "level"), [(3 * 10**9, "ok"), (10**9 + 1, "warning"), (10**9, "warning"), (10**9 - 1, "refusal")]
)
def test_the_store_must_have_room_for_the_study_and_should_have_some_left(tmp_path, monkeypatch, free, level):
    monkeypatch.setattr(fsops, "room", lambda _: fsops.Room(bytes=free, files=None))
    (check,) = capacity.of_store(TWO_RANKS, tmp_path / "not" / "there")
    assert (check.name, check.level) == ("store", level)
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    ("bytes_left", "files_left", "level", "found"),
    [
        (None, None, "ok", "how much fits is not told"),
        (10**12, 0, "refusal", "0 inodes left"),
        (10**12, 999, "warning", "999 inodes left"),
        (10**12, 10**6, "ok", "1,000 GB free"),
    ],
)
def test_a_disk_that_does_not_say_is_not_full_and_one_without_inodes_is(
    tmp_path, monkeypatch, bytes_left, files_left, level, found
):
    monkeypatch.setattr(fsops, "room", lambda _: fsops.Room(bytes=bytes_left, files=files_left))
    (check,) = capacity.of_store(TWO_RANKS, tmp_path)
    assert (check.level, found in check.text) == (level, True)


def test_a_store_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "a-file").touch()
    (check,) = capacity.of_store(ONE_RANK, tmp_path / "a-file" / "results")
    assert check.level == "refusal"
    assert "Not a directory" in check.text
    assert "--store" in check.fix


@pytest.mark.faults
def test_a_real_dev_shm_of_16_mb_is_found_out():
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small /dev/shm of our own takes root on Linux")
    script = """
import json
from dataclasses import asdict
from bench.dna.machine import here
from bench.health import capacity
from bench.health.capacity import Demand
asked = Demand(device="cpu", ranks=2, cuda_devices=0, oversubscribed=False, store_bytes=0)
print(json.dumps([asdict(check) for check in capacity.checks(asked, here())]))
"""
    mount = 'mount -t tmpfs -o size=16m tmpfs /dev/shm && exec "$0" -c "$1"'
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, sys.executable, script], capture_output=True, text=True, check=False
    )
    if ran.returncode and "mount" in ran.stderr:
        pytest.skip(f"this system lets nobody mount: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    check = next(each for each in json.loads(ran.stdout) if each["name"] == "shared_memory")
    assert check["level"] == "warning"
    assert check["text"].startswith("/dev/shm has 17 MB free; 2 ranks may need 128 MB")


@pytest.mark.parametrize(("allowed", "ranks", "refused"), [(16, 1, True), (1024, 8, False), (64, 8, True)])
def test_a_limit_of_open_files_under_which_ranks_cannot_meet_is_refused(look, monkeypatch, allowed, ranks, refused):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, allowed))
    found = look(replace(TWO_RANKS, ranks=ranks)).get("open_files")
    assert (found is not None) is refused
    if found:
        assert (found.level, "ulimit -n" in found.fix) == ("refusal", True)
