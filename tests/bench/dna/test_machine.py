"""What this machine lets us use, from recorded files and values."""

import os

import pytest

from bench.dna.cgroup import cpu_quota
from bench.dna.machine import CPU_ONLY, Machine, here, torch_build, usable_cpus, usable_memory_bytes
from bench.dna.nvidia import NvidiaCards, visible_devices

GPUS = {"GPU-aa11": "H100", "GPU-aa22": "H100", "GPU-bb33": "L4", "GPU-cc44": "T4"}


@pytest.fixture
def root(tmp_path):
    """A file system to write control groups into: `root({path: text})`."""

    def written(files):
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return written


def test_here_is_a_machine_on_which_something_can_run():
    machine = here()
    assert len(machine.cpu_ids) >= 1
    assert machine.memory_bytes > 2**28
    assert machine.torch_version is not None
    assert machine.torch_build is not None


def test_no_quota_leaves_every_allowed_cpu(root):
    assert cpu_quota(root({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"})) is None
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    assert usable_cpus(root({})) == tuple(sorted(allowed))


def test_the_tightest_quota_on_the_way_up_binds(root):
    files = {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
        "sys/fs/cgroup/a/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
    }
    assert cpu_quota(root(files)) == 1.5
    assert len(usable_cpus(root(files))) == 1


def test_a_container_whose_own_group_is_mounted_at_the_top_is_understood(root):
    files = {"proc/self/cgroup": "0::/system.slice/docker-abc.scope\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}
    assert cpu_quota(root(files)) == 0.5
    assert len(usable_cpus(root(files))) == 1, "half a CPU is still one to run on"


def test_a_quota_of_version_1_is_read(root):
    files = {
        "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/x\n0::/\n",
        "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "300000\n",
        "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert cpu_quota(root(files)) == 3.0


def test_memory_is_what_the_container_allows(root):
    files = {"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "1073741824\n"}
    assert usable_memory_bytes(root(files)) == 2**30
    assert usable_memory_bytes(root({"sys/fs/cgroup/a/memory.max": "max\n"})) > 2**28


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, ("H100", "H100", "L4", "T4")),
        ("", ()),
        ("-1", ()),
        ("2", ("L4",)),
        ("3,0", ("T4", "H100")),
        ("0,9,1", ("H100",)),  # nothing after the first that is not there
        ("0,0", ()),  # listed twice: CUDA shows none
        ("GPU-bb", ("L4",)),
        ("GPU-aa", ()),  # ambiguous
        ("MIG-1234", ("MIG slice",)),
        (" 1 , 2", ("H100", "L4")),
    ],
)
def test_visible_devices_are_those_that_cuda_would_show(visible, seen):
    assert visible_devices(visible, GPUS) == seen


@pytest.mark.parametrize(
    ("version", "source", "build"),
    [
        ("2.15.0", "cuda: Optional[str] = '13.2'\nhip: Optional[str] = None\n", "CUDA 13.2"),
        ("2.15.0+cpu", "cuda: Optional[str] = None\nhip: Optional[str] = None\n", CPU_ONLY),
        ("2.15.0", "cuda = None\nhip = '6.4.1'\n", "ROCm 6.4.1"),
        ("2.15.0+cpu", "", CPU_ONLY),
        ("2.15.0", "", None),
    ],
)
def test_the_build_of_torch_is_read_from_its_files(version, source, build):
    assert torch_build(version, source) == build


def test_gpus_count_for_nothing_with_a_torch_that_cannot_drive_them():
    machine = Machine(
        cpu_ids=(0,), pinnable=True, memory_bytes=1, cards=NvidiaCards(names=("H100",)), torch_build=CPU_ONLY
    )
    assert machine.cuda_devices == 0
