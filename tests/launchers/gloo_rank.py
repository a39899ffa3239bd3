"""A rank that all-reduces a few MB over Gloo again and again, and tells how long each time took."""

from bench.worker import bootstrap

rank = bootstrap.start()
import json  # noqa: E402 - what is slow comes after
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from datetime import timedelta  # noqa: E402

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402

FLOATS = 500_000  # 2 MB: 160 ms at 100 Mbit/s

steps = int(sys.argv[1])
rank.heart.enter("joining")
first = rank.rank == 0
store = dist.TCPStore(
    os.environ["MASTER_ADDR"],
    int(os.environ["MASTER_PORT"]),
    rank.world_size,
    is_master=first,
    wait_for_workers=False,
    master_listen_fd=int(os.environ["BENCH_LISTEN_FD"]) if first else None,
)
dist.init_process_group(
    "gloo",
    store=dist.PrefixStore("test", store),
    rank=rank.rank,
    world_size=rank.world_size,
    timeout=timedelta(seconds=300),
)
rank.heart.enter("window", 0, steps)
gradient = torch.ones(FLOATS)
step_s = []
for step in range(steps):
    began_s = time.perf_counter()
    dist.all_reduce(gradient)
    step_s.append(time.perf_counter() - began_s)
    rank.heart.beat(step + 1)
result = {"status": "ok", "step_s": step_s, "interface": os.environ["GLOO_SOCKET_IFNAME"]}
(rank.folder / f"rank{rank.rank}.json").write_text(json.dumps(result))
os._exit(0)
