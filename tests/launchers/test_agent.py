import dataclasses
import os
import signal
import socket
import subprocess
import sys

import pytest

from launchers import agent
from launchers.hosts import command_as_json
from launchers.rank_pool import StartError
from launchers.wire import KEY_NAME, NoConnectionError, key_of
from tests.launchers.scripted_ranks import command_for

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="binds CPU cores, which Linux can")


def test_a_command_arrives_with_this_hosts_folder_and_interpreter_in_place_of_the_leaders(tmp_path):
    sent = dataclasses.replace(
        command_for(tmp_path / "theirs", "pass", ranks=4), argv=("/theirs/python", "-P", f"{tmp_path}/theirs/job.json")
    )
    arrived = agent.command_from(command_as_json(sent), tmp_path / "ours")
    assert arrived.argv == (sys.executable, "-P", f"{tmp_path}/ours/job.json")
    assert dataclasses.replace(arrived, argv=sent.argv, folder=sent.folder) == sent


@pytest.mark.parametrize(
    ("environ", "node"), [({"GROUP_RANK": "2", "SLURM_PROCID": "9"}, 2), ({"SLURM_PROCID": "9"}, 9)]
)
def test_the_scheduler_says_which_node_this_is(environ, node):
    assert agent.node_of(environ) == node


def test_a_node_of_which_nobody_says_which_it_is_does_not_guess():
    with pytest.raises(LookupError, match="--node N"):
        agent.node_of({})


def test_the_key_comes_from_the_user_else_from_the_rendezvous_and_never_from_nothing():
    assert key_of({KEY_NAME: "a"}, "b") == key_of({KEY_NAME: "a"}) != key_of({}, "b")
    with pytest.raises(LookupError, match=KEY_NAME):
        key_of({})


@linux_only
def test_ranks_get_neighbouring_blocks_of_the_cores_that_this_process_may_use(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {9, 3, 5, 7})
    command = dataclasses.replace(command_for(tmp_path, "pass", ranks=4), nodes=2, cores_per_rank=2)
    assert agent._cores(command, 0) == ((3, 5), (7, 9))
    assert agent._cores(dataclasses.replace(command, cores_per_rank=None), 0) is None
    more = dataclasses.replace(command, cores_per_rank=3)
    with pytest.raises(StartError, match=r"^rank 2 could not be started: its ranks need 6 cores, and 4 are free"):
        agent._cores(more, 2)
    assert agent._cores(dataclasses.replace(more, cores_shared=True), 2) == ((3, 5, 7), (9, 3, 5))


def test_ranks_speak_over_the_interface_that_leads_to_the_leader_unless_the_user_says_otherwise():
    loopback = next(name for name in ("lo", "lo0") if name in dict(socket.if_nameindex()).values())
    assert agent._interfaces("127.0.0.1", {"NCCL_SOCKET_IFNAME": "mine"}) == {"GLOO_SOCKET_IFNAME": loopback}
    assert agent._interfaces("127.0.0.1", {}) == dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), loopback)
    assert agent._interfaces("203.0.113.9", {}) == {}  # the address of no interface here: nothing is made up


def test_an_agent_without_a_leader_says_where_it_looked():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NoConnectionError, match=f"nobody answers at 127.0.0.1:{port} for 0.3 s"):
        agent.follow("127.0.0.1", port, node=1, key=b"key", patience_s=0.3)


def test_an_agent_leaves_the_handling_of_sigterm_as_it_found_it():
    before = signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NoConnectionError):
        agent.follow("127.0.0.1", port, node=1, key=b"key", patience_s=0.1)
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_agent_imports_no_torch():
    code = "import sys, launchers.agent; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run((sys.executable, "-P", "-c", code), check=False).returncode == 0
