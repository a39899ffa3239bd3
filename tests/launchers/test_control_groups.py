import sys

import pytest

from launchers.control_groups import oom_kills


def write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.fixture
def host(tmp_path):
    write(tmp_path, "proc/vmstat", "nr_free_pages 1\noom_kill 70\n")
    return tmp_path


def test_version_2_counts_in_memory_events(host):
    write(host, "proc/self/cgroup", "0::/user.slice/job\n")
    write(host, "sys/fs/cgroup/user.slice/job/memory.events", "low 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 5\n")
    assert oom_kills(host) == 2


def test_version_1_counts_in_the_memory_controller(host):
    write(host, "proc/self/cgroup", "9:name=systemd:/\n4:memory:/job\n0::/\n")
    write(host, "sys/fs/cgroup/memory/job/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    assert oom_kills(host) == 4


def test_in_a_container_our_group_is_the_mounts_root(host):
    write(host, "proc/self/cgroup", "0::/kubepods/pod1/abc\n")
    write(host, "sys/fs/cgroup/memory.events", "oom_kill 6\n")
    assert oom_kills(host) == 6


def test_without_a_group_the_whole_host_counts(host):
    write(host, "proc/self/cgroup", "0::/\n")
    assert oom_kills(host) == 70


def test_a_system_that_does_not_tell_gives_none(tmp_path):
    assert oom_kills(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts them")
def test_this_machine_tells():
    assert oom_kills() >= 0
