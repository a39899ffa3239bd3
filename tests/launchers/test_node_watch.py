"""What the node watch of a Slurm job does about what Slurm says; on a real Slurm: `test_slurm_cluster`."""

import shlex
import subprocess
import sys

import pytest


@pytest.fixture
def watched(tmp_path):
    """Run a node watch on n2 of job 7, led from n1, whose nodes are as squeue says; returns what it had Slurm do."""

    def run(squeue: str, *, requeueable: bool = True) -> list[str]:
        orders = tmp_path / "orders"
        commands = {
            "squeue": squeue,
            "scontrol": f'[ "$1" = show ] && {{ echo "$3" | tr , "\\n"; exit; }}\n'
            f"echo scontrol $* >>{shlex.quote(str(orders))}; {'true' if requeueable else 'exit 1'}",
            "scancel": f"echo scancel $* >>{shlex.quote(str(orders))}",
        }
        for name, body in commands.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
            (tmp_path / name).chmod(0o755)
        subprocess.run(
            (sys.executable, "-P", "-m", "launchers.node_watch", "n1", "0.001"),
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n2"},
            check=False,
            timeout=60,
        )
        return orders.read_text().splitlines() if orders.exists() else []

    return run


def test_a_job_without_its_first_node_goes_back_into_the_queue(watched):
    assert watched("echo n2,n3") == ["scontrol requeue 7"]


def test_a_job_that_may_not_be_requeued_ends(watched):
    assert watched("echo n2,n3", requeueable=False) == ["scontrol requeue 7", "scancel 7"]


def test_a_job_that_is_over_is_left_alone(watched):
    assert watched("echo") == []


def test_a_node_watch_whose_own_node_is_lost_leaves(watched):
    assert watched("echo n1,n3") == []


def test_a_node_watch_that_hears_nothing_any_more_leaves_and_touches_nothing(watched):
    assert watched("exit 1") == []


def test_a_silence_of_slurm_is_not_the_loss_of_a_node(watched, tmp_path):
    answers = f"echo >>{tmp_path}/asked; [ $(wc -l <{tmp_path}/asked) -gt 3 ] && echo n2,n3"
    assert watched(answers) == ["scontrol requeue 7"]
    assert len((tmp_path / "asked").read_text().splitlines()) == 4
