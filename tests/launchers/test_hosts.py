import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from launchers import hosts
from launchers.agent_listener import AgentListener, NotAllHereError
from launchers.findings import from_deaths
from launchers.heartbeat import Beat
from launchers.rank_pool import Death
from launchers.watchdog import Patience
from launchers.wire import key_of
from tests.launchers.nodes import STUDY, Nodes, start_agent
from tests.launchers.scripted_ranks import Launched, command_for, nobody_watches

IMPATIENT = Patience(look_s=0.05, startup_s=2, finish_s=1, peers_s=1.5)
STEPS = """
peers = join()
heart.enter("window", 0, 100)
for step in range(100):
    {fault}
    collective(peers)
    heart.beat(step + 1)
say("ok")
"""


def launch_on(
    nodes: Nodes,
    folder: Path,
    body: str,
    *,
    on: int,
    ranks: int,
    watch=nobody_watches,
    patience=hosts.PATIENCE,
    **options,
) -> Launched:
    changes = {name: options.pop(name) for name in ("cores_per_rank", "cores_shared") if name in options}
    command = dataclasses.replace(command_for(folder, body, ranks=ranks, **options), nodes=on, **changes)
    return Launched(ending=hosts.launch(command, nodes.agents, watch, patience), folder=folder)


def steps_with(fault: str) -> str:
    return STEPS.format(fault=fault)


@pytest.fixture
def two_nodes(tmp_path):
    with Nodes(2, tmp_path / "scratch") as nodes:
        yield nodes
    assert [process.returncode for process in nodes.processes] == [0, 0]  # all said goodbye, and left


def test_ranks_of_two_nodes_meet_end_ok_and_leave_their_files_with_the_leader(two_nodes, tmp_path):
    body = "(folder / f'rank{rank}.steps.npz').write_bytes(bytes(600_000) + bytes([rank]))\nprint('rank', rank)\n"
    body += "(folder / f'{os.environ[\"GROUP_RANK\"]}-{os.environ[\"LOCAL_RANK\"]}').write_text('here')\n"
    launched = launch_on(two_nodes, tmp_path / "one", body + steps_with("pass"), on=2, ranks=4)
    assert (launched.ending.status, launched.ending.reason, launched.ending.exit_codes) == ("ok", None, (0, 0, 0, 0))
    for rank in range(4):
        assert (launched.folder / f"rank{rank}.steps.npz").read_bytes()[-1] == rank
        assert (launched.folder / f"rank{rank}.log").read_text() == f"rank {rank}\n"
        assert (launched.folder / f"{rank // 2}-{rank % 2}").read_text() == "here"
    assert not list(launched.folder.glob(".*"))
    assert launch_on(two_nodes, tmp_path / "two", steps_with("pass"), on=1, ranks=2).ending.status == "ok"
    assert (two_nodes.ranks(0), two_nodes.ranks(1), two_nodes.leftovers()) == ([], [], [])


def test_nodes_that_do_not_report_are_named_and_so_is_a_reason_to_wait_no_longer(tmp_path):
    listener = AgentListener("127.0.0.1", key=key_of({}, STUDY))
    agent = start_agent(listener.address, 1, scratch=tmp_path)
    try:
        with pytest.raises(NotAllHereError, match=r"^nodes 0, 2 of 3 did not report within 1 s$"):
            listener.wait_for(3, 1)
        with pytest.raises(NotAllHereError, match=r"^nodes 0, 2 of 3 will not report: the job was cancelled$"):
            listener.wait_for(3, 60, lambda: "the job was cancelled")
    finally:
        listener.close()
        assert agent.wait(20) == 0


@pytest.mark.faults
def test_a_rank_killed_on_another_node_is_named_and_not_its_peers(two_nodes, tmp_path):
    body = steps_with("if rank == 2 and step == 20: os.kill(os.getpid(), signal.SIGKILL)")
    launched = launch_on(two_nodes, tmp_path / "one", body, on=2, ranks=4)
    ending = launched.ending
    assert (ending.status, ending.failed_rank) == ("killed", 2)
    assert ending.reason == "rank 2 was ended by SIGKILL in the window at step 20 of 100"
    assert ending.exit_codes[2] == -signal.SIGKILL
    assert launched.survivors == []


@pytest.mark.faults
def test_an_error_on_another_node_is_named_though_its_peers_fail_after_it(two_nodes, tmp_path):
    body = steps_with("if rank == 1 and step == 20: raise ValueError('no such shape')")
    ending = launch_on(two_nodes, tmp_path / "one", body, on=2, ranks=2).ending
    assert (ending.status, ending.failed_rank) == ("crash", 1)
    assert ending.reason == "rank 1 ended with code 1 in the window at step 20 of 100: ValueError: no such shape"
    assert "Traceback" in ending.log_tail


@pytest.mark.parametrize("off_ns", [-(10**17), 10**17])
def test_of_two_errors_the_earlier_is_named_though_their_hosts_clock_is_years_off(tmp_path, off_ns):
    now_ns = time.monotonic_ns() + 10**7
    for rank, said_ns in ((0, now_ns - 3 * 10**8), (1, now_ns - 2 * 10**8)):
        result = {"status": "crash", "reason": f"rank {rank} could not go on", "monotonic_ns": said_ns + off_ns}
        (tmp_path / f"rank{rank}.json").write_text(json.dumps(result))
    (tmp_path / "rank2.log").write_text("Aborted")  # just now, by our clock
    deaths = [  # who failed first was seen last
        Death(rank=rank, code=code, node=1, seen_ns=now_ns + late, seen_on_host_ns=now_ns + late + off_ns)
        for late, (rank, code) in enumerate(((2, -signal.SIGABRT), (1, 1), (0, 1)))
    ]
    beats = [Beat(rank=rank, phase="window", step=1, steps=9, monotonic_ns=1) for rank in range(3)]
    assert from_deaths(tmp_path, deaths, beats).rank == 0


@pytest.mark.faults
def test_a_rank_stopped_on_another_node_is_named_and_not_those_that_wait_for_it(two_nodes, tmp_path):
    body = steps_with("if rank == 2 and step == 20: os.kill(os.getpid(), signal.SIGSTOP)")
    launched = launch_on(two_nodes, tmp_path / "one", body, on=2, ranks=4, stall_s=1, patience=IMPATIENT)
    assert (launched.ending.status, launched.ending.failed_rank) == ("hang", 2)
    assert "rank 2 has been stopped in the window at step 20 of 100" in launched.ending.reason
    assert "in collective" in (launched.folder / "rank1.log").read_text()  # the stacks of a victim came over
    assert launched.survivors == []


@pytest.mark.faults
def test_a_rank_that_is_busy_for_ever_on_another_node_is_told_by_the_stacks_that_come_over(two_nodes, tmp_path):
    body = """
code = "def wait():\\n    time.sleep(600)"
exec(compile(code, "/somewhere/torch/distributed/collectives.py", "exec"))
join()
heart.enter("window", 0, 100)
heart.beat(20)
time.sleep(600) if rank == 1 else wait()
"""
    patience = dataclasses.replace(hosts.PATIENCE, startup_s=2)
    ending = launch_on(two_nodes, tmp_path / "one", body, on=2, ranks=2, stall_s=1, patience=patience).ending
    assert (ending.status, ending.failed_rank) == ("hang", 1)
    assert "only rank 1 does not wait for the others: File" in ending.reason


@pytest.mark.faults
def test_an_agent_that_is_told_to_end_leaves_nothing_on_its_node(tmp_path):
    with Nodes(2, tmp_path / "scratch") as nodes:

        def tell(beats):
            if beats[1].step >= 5 and not ranks:
                ranks.extend(nodes.ranks(1))
                nodes.processes[1].terminate()

        ranks: list[psutil.Process] = []
        body = steps_with("time.sleep(0.1)")
        launched = launch_on(nodes, tmp_path / "one", body, on=2, ranks=2, watch=tell)
        assert (launched.ending.status, launched.ending.failed_rank) == ("lost", 1)
        assert nodes.processes[1].wait(10) == 128 + signal.SIGTERM
        assert psutil.wait_procs(ranks, timeout=5)[1] == []
        assert nodes.leftovers() == []


@pytest.mark.faults
def test_a_node_that_is_gone_ends_its_launch_and_later_ones_that_need_it_but_no_other(tmp_path):
    with Nodes(2, tmp_path / "scratch") as nodes:

        def end_the_agent(beats):
            if beats[1].step >= 5 and nodes.processes[1].poll() is None:
                left.extend(nodes.ranks(1))
                nodes.processes[1].kill()
                nodes.processes[1].wait()

        left: list[psutil.Process] = []
        body = steps_with("time.sleep(0.1)")
        launched = launch_on(nodes, tmp_path / "one", body, on=2, ranks=2, watch=end_the_agent)
        assert (launched.ending.status, launched.ending.failed_rank) == ("lost", 1)
        assert launched.ending.reason.startswith(
            f"node 1 ({socket.gethostname()}) does not answer any more; rank 1 was"
        )
        assert launched.ending.exit_codes[1] is None
        assert psutil.wait_procs(left, timeout=5)[1] == []  # its guard has seen to that
        assert launch_on(nodes, tmp_path / "two", steps_with("pass"), on=1, ranks=2).ending.status == "ok"
        again = launch_on(nodes, tmp_path / "three", steps_with("pass"), on=2, ranks=2).ending
        assert (again.status, again.failed_rank) == ("lost", 1)
        assert again.duration_s < 5
        assert nodes.ranks(0) == []


@pytest.mark.faults
def test_a_node_that_is_silent_for_long_is_given_up(tmp_path):
    with Nodes(2, tmp_path / "scratch") as nodes:

        def stop_the_agent(beats):
            if beats[1].step >= 5:
                nodes.processes[1].send_signal(signal.SIGSTOP)

        launched = launch_on(
            nodes, tmp_path / "one", steps_with("time.sleep(0.5)"), on=2, ranks=2, watch=stop_the_agent
        )
        assert (launched.ending.status, launched.ending.failed_rank) == ("lost", 1)
        ranks = nodes.ranks(1)
        nodes.processes[1].send_signal(signal.SIGCONT)  # it learns that it was given up, and ends what it has
        assert nodes.processes[1].wait(20) == 1
        assert psutil.wait_procs(ranks, timeout=5)[1] == []


@pytest.mark.faults
def test_a_rank_that_cannot_start_is_named_with_its_node(two_nodes, tmp_path):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else pytest.skip("Linux alone binds cores")
    ending = launch_on(two_nodes, tmp_path / "one", "say('ok')", on=2, ranks=4, cores_per_rank=cores).ending
    assert (ending.status, ending.failed_rank) == ("crash", 0)
    name = socket.gethostname()
    assert f"node 0 ({name}): its ranks need {2 * cores} cores, and {cores} are free to use" in ending.reason
    shared = launch_on(
        two_nodes, tmp_path / "two", "say('ok')", on=2, ranks=4, cores_per_rank=cores, cores_shared=True
    ).ending
    assert (shared.status, shared.reason) == ("ok", None)


LEADER = """
import sys
from pathlib import Path
from tests.launchers.nodes import STUDY
from tests.launchers.scripted_ranks import nobody_watches
from tests.launchers.test_hosts import launch_on, steps_with
from launchers.agent_listener import AgentListener
from launchers.wire import key_of

class Here:
    pass

listener = AgentListener("127.0.0.1", key=key_of({}, STUDY))
print(listener.address[1], flush=True)
Here.agents = listener.wait_for(2, 30)
launch_on(Here, Path(sys.argv[1]), steps_with("time.sleep(1)"), on=2, ranks=4,
          watch=lambda beats: print(beats[3].step, flush=True))
"""


@pytest.mark.faults
def test_when_the_leader_is_killed_no_agent_and_no_rank_is_left_on_any_node(tmp_path):
    script = tmp_path / "leader.py"
    script.write_text(LEADER)
    leader = subprocess.Popen(
        (sys.executable, str(script), str(tmp_path / "one")),
        stdout=subprocess.PIPE,
        text=True,
    )
    port = int(leader.stdout.readline())
    agents = [start_agent(("127.0.0.1", port), node, scratch=tmp_path / "scratch") for node in range(2)]
    while leader.stdout.readline() != "2\n":
        pass
    ranks = [child for agent in agents for child in psutil.Process(agent.pid).children(recursive=True)]
    assert len(ranks) == 2 * (2 + 1)  # each node's ranks, and their guard
    leader.kill()
    leader.communicate()
    assert [agent.wait(10) for agent in agents] == [1, 1]
    assert psutil.wait_procs(ranks, timeout=5)[1] == []
    assert list((tmp_path / "scratch").glob("bench-*")) == []


@pytest.mark.faults
def test_strangers_are_sent_away_and_disturb_nobody(two_nodes, tmp_path):
    silent = socket.create_connection(two_nodes.address)
    rude = socket.create_connection(two_nodes.address)
    rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
    wrong_key = start_agent(
        two_nodes.address, 2, key="another study", scratch=tmp_path, stderr=subprocess.PIPE, text=True
    )
    twice = start_agent(two_nodes.address, 1, scratch=tmp_path, stderr=subprocess.PIPE, text=True)
    assert launch_on(two_nodes, tmp_path / "one", steps_with("pass"), on=2, ranks=2).ending.status == "ok"
    assert "another key" in wrong_key.communicate(timeout=20)[1]
    assert "does not take node 1: " in (said := twice.communicate(timeout=20)[1])
    assert "is node 1" in said
    assert (wrong_key.returncode, twice.returncode) == (1, 1)
    assert [agent.lost for agent in two_nodes.agents] == [None, None]
    silent.close()
    rude.close()
