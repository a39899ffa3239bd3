"""What control groups allow, from files in the forms of both versions."""

import pytest

from bench.dna import cgroup
from bench.dna.facts import AbsentError

V2, V1 = "0::/a/b\n", "3:cpu,cpuacct:/x\n4:memory:/x\n0::/\n"


@pytest.fixture
def root(tmp_path):
    def written(groups, **files):
        for name, text in {"proc/self/cgroup": groups, **files}.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")
        return tmp_path

    return written


def test_what_is_left_is_the_limit_less_what_is_used_and_cannot_be_dropped(root):
    files = {
        "sys/fs/cgroup/a/b/memory.max": 2**31,
        "sys/fs/cgroup/a/b/memory.current": 2**30,
        "sys/fs/cgroup/a/b/memory.stat": "anon 1\nfile 2\ninactive_file 1000",
    }
    assert cgroup.memory(root(V2, **files)) == cgroup.MemoryLimit(limit_bytes=2**31, left_bytes=2**31 - 2**30 + 1000)


def test_a_fuller_parent_leaves_less_than_the_group_s_own_limit(root):
    files = {
        "sys/fs/cgroup/a/b/memory.max": 2**31,
        "sys/fs/cgroup/a/b/memory.current": 0,
        "sys/fs/cgroup/a/memory.max": 2**30,
        "sys/fs/cgroup/a/memory.current": 2**30 - 5,
    }
    assert cgroup.memory(root(V2, **files)) == cgroup.MemoryLimit(limit_bytes=2**30, left_bytes=5)


@pytest.mark.parametrize("limit", ["max", 2**63 - 4096, 2**60])
def test_no_limit_is_no_limit_in_either_version(root, limit):
    assert cgroup.memory(root(V2, **{"sys/fs/cgroup/a/memory.max": limit})) is None
    assert cgroup.memory(root(V1, **{"sys/fs/cgroup/memory/x/memory.limit_in_bytes": limit})) is None


def test_version_1_counts_what_its_children_can_drop(root):
    files = {
        "sys/fs/cgroup/memory/x/memory.limit_in_bytes": 1000,
        "sys/fs/cgroup/memory/x/memory.usage_in_bytes": 900,
        "sys/fs/cgroup/memory/x/memory.stat": "inactive_file 1\ntotal_inactive_file 200",
    }
    assert cgroup.memory(root(V1, **files)) == cgroup.MemoryLimit(limit_bytes=1000, left_bytes=300)


def test_a_soft_limit_of_version_2_binds_as_well(root):
    files = {"sys/fs/cgroup/a/memory.max": "max", "sys/fs/cgroup/a/memory.high": 1000}
    assert cgroup.memory(root(V2, **files)) == cgroup.MemoryLimit(limit_bytes=1000, left_bytes=1000)


def test_the_longest_pause_on_the_way_up_is_told_in_one_unit(root):
    files = {
        "sys/fs/cgroup/a/b/cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_usec 1500",
        "sys/fs/cgroup/a/cpu.stat": "throttled_usec 2000",
    }
    assert cgroup.throttled_ns(root(V2, **files)) == 2_000_000
    assert (
        cgroup.throttled_ns(root(V1, **{"sys/fs/cgroup/cpu,cpuacct/x/cpu.stat": "throttled_time 2500000"})) > 2_000_000
    )


@pytest.mark.parametrize("groups", ["", "torn", "0::/"])
def test_a_system_without_control_groups_has_no_limit_and_counts_no_pause(root, groups):
    assert cgroup.cpu_quota(root(groups)) is None
    assert cgroup.memory(root(groups)) is None
    with pytest.raises(AbsentError):
        cgroup.throttled_ns(root(groups))
