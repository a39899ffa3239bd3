"""How long is it from a fault in one rank until nothing of the launch runs, and who is blamed: torchrun's end and ours.

Rank 1 of three kills or stops itself between two Gloo all-reduces. The same program is the rank of both launchers, with
the same 6 s of patience: of a collective for both, and of the heartbeat watchdog for ours. Launches alternate.

    python benchmarks/teardown.py [--launches 3] [--json FILE]
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from launchers import Command, local
from launchers.heartbeat import Beat

RANKS, GUILTY, AT_STEP, PATIENCE_S = 3, 1, 20, 6
FAULTS = ("SIGKILL", "SIGSTOP")
GIVEN_UP_S = 300

RANK = f"""
from bench.worker import bootstrap
rank = bootstrap.start()
import json, os, signal, sys, time
from datetime import timedelta
import torch
import torch.distributed as dist
(rank.folder / f"{{rank.rank}}.pid").write_text(str(os.getpid()))
rank.heart.enter("joining")
patience = timedelta(seconds={PATIENCE_S})
handed = os.environ.get("BENCH_LISTEN_FD")
if "BENCH_SUPERVISOR_PID" in os.environ:
    store = dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), rank.world_size,
                          is_master=handed is not None, wait_for_workers=False,
                          master_listen_fd=int(handed) if handed else None)
    dist.init_process_group("gloo", store=store, rank=rank.rank, world_size=rank.world_size, timeout=patience)
else:
    dist.init_process_group("gloo", timeout=patience)
rank.heart.enter("window", 0, 1000)
gradient = torch.ones(1000)
for step in range(1000):
    if rank.rank == {GUILTY} and step == {AT_STEP}:
        (rank.folder / "fault").write_text(str(time.time_ns()))
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    dist.all_reduce(gradient)
    rank.heart.beat(step + 1)
"""


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """What became of one launch after its fault."""

    launcher: str
    fault: str
    taken_s: float  # from the fault until the launcher has ended
    blamed: int | None  # the rank that is named as the first to fail; it was rank 1
    left: int  # ranks that run on afterwards


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--launches", type=int, default=3, help="of each kind")
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    seen = [
        measured(launcher, fault) for _ in range(asked.launches) for fault in FAULTS for launcher in (ours, torchrun)
    ]
    print(
        f"{'fault':9} {'launcher':9} {'n':>2}  {'median':>7}  {'least':>7}  {'most':>7}  blamed (it was rank 1)  left"
    )
    for fault in FAULTS:
        for launcher in ("ours", "torchrun"):
            those = [each for each in seen if (each.fault, each.launcher) == (fault, launcher)]
            taken_s = [each.taken_s for each in those]
            blamed = ", ".join("nobody" if each.blamed is None else f"rank {each.blamed}" for each in those)
            print(
                f"{fault:9} {launcher:9} {len(those):2}  {statistics.median(taken_s):5.2f} s  {min(taken_s):5.2f} s  "
                f"{max(taken_s):5.2f} s  {blamed:22}  {sum(each.left for each in those)}"
            )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(each) for each in seen], indent=1))


def measured(launcher: Callable[[Path, str], int | None], fault: str) -> Teardown:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "rank.py").write_text(RANK)
        blamed = launcher(folder, fault)
        taken_s = (time.time_ns() - int((folder / "fault").read_text())) / 1e9
        pids = [int(file.read_text()) for file in folder.glob("*.pid")]
        running = [pid for pid in pids if psutil.pid_exists(pid)]
        for pid in running:
            psutil.Process(pid).kill()
        return Teardown(launcher=launcher.__name__, fault=fault, taken_s=taken_s, blamed=blamed, left=len(running))


def ours(folder: Path, fault: str) -> int | None:
    command = Command(
        argv=(sys.executable, "-P", str(folder / "rank.py"), fault),
        ranks=RANKS,
        folder=folder,
        environment={"OMP_NUM_THREADS": "1"},
        cores=None,
        timeout_s=GIVEN_UP_S,
        stall_s=PATIENCE_S,
    )
    return local.launch(command, nobody_watches).failed_rank


def torchrun(folder: Path, fault: str) -> int | None:
    ended = subprocess.run(
        (
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)),
            *("--max-restarts", "0", "rank.py", fault),
        ),
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=GIVEN_UP_S,
        check=False,
    )
    root_cause = re.search(r"Root Cause.*?rank\s*:\s*(\d+)", ended.stderr, re.DOTALL)
    return int(root_cause[1]) if root_cause else None


def nobody_watches(beats: Sequence[Beat]) -> None:
    """Progress is of no interest here."""


if __name__ == "__main__":
    main()
