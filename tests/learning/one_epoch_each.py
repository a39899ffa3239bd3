"""One rank that lives through many launches, one after the other: importing torch for each would take minutes.

    python one_epoch_each.py RANK WORLD_SIZE FOLDER...

Every folder holds a job.json, and the file `port` where its ranks meet. The worker is the real one.
"""

import os
import sys
from pathlib import Path

import torch

from bench.worker import bootstrap, job
from bench.worker.run import run
from launchers.heartbeat import Heart


def main(number: int, world_size: int, folders: list[Path]) -> None:
    """Run every launch, telling on stdout which one it is."""
    os.environ |= {"RANK": str(number), "WORLD_SIZE": str(world_size), "MASTER_ADDR": "127.0.0.1"}
    os.environ.pop("BENCH_RUN_FOLDER", None)  # then ranks meet as under torchrun
    for folder in folders:
        print(folder.name, flush=True)
        os.environ["MASTER_PORT"] = (folder / "port").read_text()
        rank = bootstrap.Rank(
            rank=number,
            world_size=world_size,
            local_rank=number,
            node=0,
            folder=folder,
            heart=Heart(folder, number),
        )
        run(rank, job.Job.read(folder / job.JOB))
        torch.set_num_interop_threads = lambda _: None  # a process can set it once


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [Path(each) for each in sys.argv[3:]])
