"""The same faults while real ranks are inside a real collective."""

import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from launchers import Command, heartbeat
from launchers.environment import environment
from launchers.local import launch
from launchers.watchdog import Patience
from tests.launchers.scripted_ranks import Launched, alive, nobody_watches

pytestmark = pytest.mark.faults

RANK = """
from bench.worker import bootstrap
rank = bootstrap.start()
import json, os, signal, sys, time
from datetime import timedelta
import torch
import torch.distributed as dist
rank.heart.enter("joining")
first = rank.rank == 0
store = dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), rank.world_size, is_master=first,
                      wait_for_workers=False, master_listen_fd=int(os.environ["BENCH_LISTEN_FD"]) if first else None)
dist.init_process_group("gloo", store=dist.PrefixStore("test", store), rank=rank.rank, world_size=rank.world_size,
                        timeout=timedelta(seconds=300))
(rank.folder / f"rank{rank.rank}.pid").write_text(str(os.getpid()))
rank.heart.enter("window", 0, 100)
gradient = torch.ones(1000)
for step in range(100):
    FAULT
    dist.all_reduce(gradient)
    rank.heart.beat(step + 1)
(rank.folder / f"rank{rank.rank}.json").write_text(json.dumps({"status": "ok"}))
os._exit(0)
"""


def run_gloo(folder: Path, fault: str, *, watch=nobody_watches, stall_s: float = 120) -> Launched:
    script = folder / "rank.py"
    script.write_text(RANK.replace("FAULT", fault))
    command = Command(
        argv=(sys.executable, "-P", str(script)),
        ranks=3,
        folder=folder,
        environment=environment({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}),
        cores=None,
        timeout_s=300,
        stall_s=stall_s,
    )
    return Launched(ending=launch(command, watch, Patience()), folder=folder)


def test_three_ranks_meet_on_the_socket_that_was_handed_over(tmp_path):
    ending = run_gloo(tmp_path, "pass").ending
    assert (ending.status, ending.reason, ending.exit_codes) == ("ok", None, (0, 0, 0))


def test_sigterm_ends_a_rank_that_is_blocked_in_an_all_reduce(tmp_path):
    """Rank 2 sleeps and so holds rank 0 in its collective; rank 0 is then told to end."""
    blocked: list[psutil.Process] = []

    def tell(beats: list[heartbeat.Beat]) -> None:
        if beats[2].step == 20 and not blocked:
            time.sleep(0.5)  # rank 0 enters its collective
            process = psutil.Process(int((tmp_path / "rank0.pid").read_text()))
            process.send_signal(signal.SIGTERM)
            blocked.append(process)

    launched = run_gloo(tmp_path, "if rank.rank == 2 and step == 20: time.sleep(600)", watch=tell)
    assert (launched.ending.status, launched.ending.failed_rank) == ("killed", 0)
    assert launched.ending.exit_codes[0] == 128 + signal.SIGTERM
    assert launched.ending.reason == "rank 0 was ended by SIGTERM in the window at step 20 of 100"
    assert not any(map(alive, launched.pids))
