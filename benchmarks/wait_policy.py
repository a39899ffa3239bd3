"""How threads wait for each other: does OpenMP's spinning help, and what does it cost beside other programs?

Two processes train the same model on the same cores, one with libgomp's own policy (spin for some milliseconds, then
sleep), one with another (GOMP_SPINCOUNT, OMP_WAIT_POLICY). They take turns in the order A B B A, so that what else the
machine does hits both; a block of four turns gives one log ratio, other / own, and the interval is a t interval over
blocks. Above 1: the other policy is faster. With --busy N, N programs spin on the same cores meanwhile; with
--quiet 0.05 only blocks count in which others used less than 5 % of the cores.

    python benchmarks/wait_policy.py [--model lenet-small] [--batch 32] [--threads 2] [--busy 0] [--blocks 20]
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time

from scipy import stats

from bench.dna.machine import here
from bench.health import host

POLICIES = {
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "short": {"GOMP_SPINCOUNT": "10000"},
}
_UNTIMED = 2  # steps that begin a turn
BUSY = "while True: pass"


def turn(model, optimizer, images, labels, seconds: float) -> float:
    """Train for so long; returns steps per second."""
    import torch.nn.functional as F  # noqa: N812

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    for _ in range(_UNTIMED):
        step()
    began, steps = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds or steps < 2:
        step()
        steps += 1
    return steps / passed


def child(options: argparse.Namespace) -> None:
    """One of the two: trains when it is told to."""
    import torch

    from bench.learn.models import build

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = build(options.model, input_shape=(3, 32, 32), classes=10, options={})
    images, labels = torch.randn(options.batch, 3, 32, 32), torch.randint(0, 10, (options.batch,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    turn(model, optimizer, images, labels, 0.3)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(turn(model, optimizer, images, labels, options.turn), flush=True)


def started(options: argparse.Namespace, settings: dict[str, str]) -> subprocess.Popen[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    environment = {**plain, "OMP_NUM_THREADS": str(options.threads), **settings}
    return subprocess.Popen(
        [sys.executable, __file__, *sys.argv[1:], "--child"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process: subprocess.Popen[str]) -> float:
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="lenet-small")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--turn", type=float, default=0.15)
    parser.add_argument("--quiet", type=float, default=math.inf, help="others use this share of the cores at most")
    parser.add_argument("--patience", type=float, default=600, help="seconds to look for so quiet moments")
    parser.add_argument("--policy", choices=POLICIES, default="passive")
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    cores = here().cpu_ids[: options.threads]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    pair = [started(options, {}), started(options, POLICIES[options.policy])]
    for each in pair:
        each.stdout.readline()
    before = host.cpu_times(cores)
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(options.busy)]
    try:
        logs, own = [], []
        until = time.monotonic() + options.patience
        while len(logs) < options.blocks and time.monotonic() < until:
            while math.isfinite(options.quiet) and host.others_now(cores) > options.quiet and time.monotonic() < until:
                pass
            began = host.cpu_times(cores)
            a, b, b_again, a_again = (ask(pair[which]) for which in (0, 1, 1, 0))
            if math.isfinite(options.quiet) and host.others(began, host.cpu_times(cores)) > options.quiet:
                continue  # chosen by what others did, never by what was measured
            logs.append(math.log(b * b_again / (a * a_again)) / 2)
            own.append(math.sqrt(a * a_again))
    finally:
        for each in busy:
            each.kill()
        for each in pair:
            each.stdin.close()
    n, mean = len(logs), statistics.fmean(logs)
    half = stats.t.ppf(0.975, n - 1) * statistics.stdev(logs) / math.sqrt(n)
    outcome = dict(vars(options), ratio=math.exp(mean), low=math.exp(mean - half), high=math.exp(mean + half), n=n)
    outcome |= dict(own_steps_per_s=statistics.median(own), others=host.others(before, host.cpu_times(cores)))
    print(json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in outcome.items()}))


if __name__ == "__main__":
    main()
