"""One rank of the all-reduce measurement; `bench.dna.ceilings` starts it. Rank 0 leaves the times in its folder."""

import json
import os
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed import FileStore  # type: ignore[attr-defined]

from bench.dna.ceilings import times_s

SIZES_BYTES = (4 * 2**10, 2**20, 64 * 2**20)
_N = {4 * 2**10: 200, 2**20: 50, 64 * 2**20: 7}


def main() -> None:
    """Join the others and time the sum of a float32 tensor of each size over all ranks."""
    rank, ranks, folder = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), Path(os.environ["BENCH_RUN_FOLDER"])
    torch.set_num_threads(1)
    store = FileStore(str(folder / "meeting"), ranks)  # one host: no port is needed
    dist.init_process_group("gloo", store=store, rank=rank, world_size=ranks, timeout=timedelta(seconds=30))
    taken = {}
    for size in SIZES_BYTES:
        tensor = torch.zeros(size // 4)
        dist.barrier()
        taken[size] = times_s(partial(dist.all_reduce, tensor), _N[size], warm_up=3)
    dist.barrier()
    dist.destroy_process_group()
    (folder / f"rank{rank}.json").write_text(json.dumps({"status": "ok", "taken": taken}))


if __name__ == "__main__":
    main()
