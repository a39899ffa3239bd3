import dataclasses
import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import launchers
from launchers import Request, torchrun
from tests.launchers.scripted_ranks import command_for, nobody_watches

JOIN = """
peers = join()
collective(peers)
say("ok")
"""


def request_for(nodes: int = 2, **options) -> Request:
    return Request(name="a-study", nodes=nodes, ranks_per_node=1, cores_per_rank=None, gpus_per_node=0, options=options)


def free_port() -> int:
    with socket.create_server(("", 0)) as taken:
        return taken.getsockname()[1]


def rendezvous(rank: int, nodes: int, port: int) -> dict[str, str]:
    """What torchrun, or a cloud in its place, sets."""
    return {"RANK": str(rank), "WORLD_SIZE": str(nodes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


@pytest.fixture(autouse=True)
def _outside_torchrun(monkeypatch):
    for name in ("LOCAL_WORLD_SIZE", "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RUN_ID", "BENCH_AGENT_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_it_is_found_by_name():
    assert launchers.find("torchrun") is torchrun


def test_node_0_leads_the_others_follow_and_without_torchrun_it_is_started():
    assert torchrun.role(rendezvous(0, 2, 1)) == launchers.LEAD
    assert torchrun.role(rendezvous(1, 2, 1)) == launchers.FOLLOW
    assert torchrun.role({}) == launchers.SUBMIT
    assert torchrun.role({"RANK": "0"}) == launchers.SUBMIT  # left in a shell by something else


def test_the_script_is_the_line_that_would_run():
    line = torchrun.script(("scale", "--nodes", "1,2"), request_for(rdzv="127.0.0.1:29500"))
    assert shlex.split(line) == [
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1",
        *(sys.executable, "-P", "-m", "torch.distributed.run"),
        *("--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "0"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:29500", "--rdzv-id", "a-study"),
        *("--local-addr", "127.0.0.1", "--no-python", "--", sys.executable, "-P", "-m", "scaling_bench"),
        *("scale", "--nodes", "1,2"),
    ]


@pytest.mark.parametrize("options", [{}, {"rdzv": "node0"}, {"rdzv": ":29500"}, {"rdzv": "node0:"}])
def test_without_a_place_to_meet_it_says_which_option_is_missing(options):
    with pytest.raises(ValueError, match="--rdzv HOST:PORT"):
        torchrun.script(("scale",), request_for(**options))


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ({"TORCHELASTIC_USE_AGENT_STORE": "True"}, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1"),
        ({"LOCAL_WORLD_SIZE": "4"}, "--nproc-per-node 1"),
        ({}, "needs 3 nodes, and torchrun was started for 2"),
    ],
)
def test_a_torchrun_started_in_another_way_is_told_what_to_change(monkeypatch, setting, advice):
    for name, value in {**rendezvous(0, 2, 29500), **setting}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=advice):
        torchrun.open(request_for(nodes=3))


def test_a_cloud_that_gives_no_study_a_name_needs_a_key(monkeypatch):
    for name, value in rendezvous(0, 2, free_port()).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LookupError, match="BENCH_AGENT_KEY"):
        torchrun.open(request_for())


def test_where_a_cloud_sets_the_variables_the_nodes_find_each_other(tmp_path, monkeypatch):
    port = free_port()
    monkeypatch.setenv("BENCH_AGENT_KEY", "of this test")
    follower = subprocess.Popen(
        (sys.executable, "-P", "-c", "import sys; from launchers import torchrun; sys.exit(torchrun.follow())"),
        env={**os.environ, **rendezvous(1, 2, port)},
    )
    for name, value in rendezvous(0, 2, port).items():
        monkeypatch.setenv(name, value)
    launcher = torchrun.open(request_for())
    try:
        command = dataclasses.replace(command_for(tmp_path / "launch", JOIN, ranks=2), nodes=2)
        ending = launcher.launch(command, nobody_watches)
    finally:
        launcher.close()
    assert (ending.status, ending.reason, ending.exit_codes) == ("ok", None, (0, 0))
    assert follower.wait(20) == 0
    assert launcher.own.returncode == 0


@pytest.mark.faults
def test_the_real_torchrun_brings_two_nodes_together_and_leaves_us_its_port(tmp_path):
    study = Path(__file__).with_name("torchrun_study.py")
    words = (sys.executable, "-P", str(study), str(tmp_path), "2", f"127.0.0.1:{free_port()}", "2x5")
    (tmp_path / "go-0").touch()
    nodes = [subprocess.Popen(words) for _ in range(2)]
    try:
        assert [node.wait(240) for node in nodes] == [0, 0]
    finally:
        for node in nodes:
            node.kill()
            node.wait()
    ending = json.loads((tmp_path / "ending-0.json").read_text())
    assert (ending["status"], ending["reason"], ending["exit_codes"]) == ("ok", None, [0, 0])
