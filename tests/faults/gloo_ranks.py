"""Real ranks in a real collective, without the rest of a study: for what is about processes and time alone."""

import sys
from pathlib import Path

from launchers import Command
from launchers.environment import environment

RANK = """
from bench.worker import bootstrap
rank = bootstrap.start()
import json, os, signal, time
from datetime import timedelta
import torch
import torch.distributed as dist
rank.heart.enter("joining")
first = rank.rank == 0
store = dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), rank.world_size, is_master=first,
                      wait_for_workers=False, master_listen_fd=int(os.environ["BENCH_LISTEN_FD"]) if first else None)
dist.init_process_group("gloo", store=dist.PrefixStore("test", store), rank=rank.rank, world_size=rank.world_size,
                        timeout=timedelta(seconds=300))
rank.heart.enter("window", 0, 200)
gradient = torch.ones(1000)
for step in range(200):
    if rank.rank == 1 and step == 50:
        (rank.folder / "struck_ns").write_text(str(time.monotonic_ns()))
        FAULT
    dist.all_reduce(gradient)
    rank.heart.beat(step + 1)
(rank.folder / f"rank{rank.rank}.json").write_text(json.dumps({"status": "ok"}))
os._exit(0)
"""


def gloo_command(folder: Path, statement: str = "pass", *, ranks: int = 2, stall_s: float = 120) -> Command:
    """A launch whose rank 1 runs a statement in its window."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "rank.py"
    script.write_text(RANK.replace("FAULT", statement))
    return Command(
        argv=(sys.executable, "-P", str(script)),
        ranks=ranks,
        folder=folder,
        environment=environment({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}),
        cores=None,
        timeout_s=300,
        stall_s=stall_s,
    )
