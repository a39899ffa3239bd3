"""What does the harness cost? Its loop against a hand-tuned bare loop, with two frameworks beside it.

Every arm trains its own copy of the same model on the same resident batch, in one process, on one thread (with --device
cuda on one GPU, whose blocks end when it is idle). Blocks run A/B/B/A (bare, arm, arm, bare), so a drift that is linear
over a block of four cancels; a pair's log ratio is one observation, and the interval is a t interval over the pairs.
Ratios below 1: the arm is slower than the bare loop.

    python benchmarks/parity.py [--pairs 800] [--device cpu|cuda] [--arms bench,fabric,accelerate] [--json FILE]

Fabric and Accelerate are timed when they are installed (`uv pip install --group parity -c constraints.txt`).
"""

import argparse
import gc
import importlib.util
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from scipy import stats
from torch import nn

from bench import devices
from bench.learn.models import build
from bench.worker.afterwards import clock_ns_per_step
from bench.worker.group import Group
from bench.worker.train import Trainer, train_segment
from launchers.heartbeat import Heart

Block = Callable[[int], float]  # trains so many steps, and says how many seconds they took

# name, model, batch, steps a block, least ratio wanted: short and long steps, on one core and on one GPU of today
CASES = {
    "cpu": (("2 ms", "lenet-small", 8, 8, 0.995), ("20 ms", "lenet-large", 8, 2, 0.999)),
    "cuda": (("short", "resnet18", 64, 10, 0.995), ("long", "resnet18", 256, 5, 0.999)),
}


@dataclass(frozen=True)
class Task:
    """What every arm trains."""

    model: str
    batch: int
    device: torch.device


def workload(task: Task) -> tuple[nn.Module, torch.optim.Optimizer, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    model = build(task.model, input_shape=(3, 32, 32), classes=10, options={}).to(task.device)
    images, labels = torch.randn(task.batch, 3, 32, 32), torch.randint(0, 10, (task.batch,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    return model, optimizer, images.to(task.device), labels.to(task.device)


def bare(task: Task) -> Block:
    """What an expert would write by hand, with nothing measured inside."""
    model, optimizer, images, labels = workload(task)
    loss_of = nn.CrossEntropyLoss()
    model.train()

    def steps_of(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss_of(model(images), labels).backward()
            optimizer.step()

    return bracketed(steps_of, task.device)


def harnessed(task: Task) -> Block:
    """The loop of `bench`, clock, heartbeat, loss sum and all; its set-up of a segment is inside the block too."""
    model, optimizer, images, labels = workload(task)
    trainer = Trainer(
        model=model,
        loss=nn.CrossEntropyLoss(),
        optimizer=optimizer,
        scheduler=None,
        precision="fp32",
        device=task.device,
        backend=devices.load(task.device.type),
        group=Group(rank=0, world_size=1, backend=None),
        heart=Heart(Path(tempfile.mkdtemp()), 0),
    )

    def same() -> object:
        while True:
            yield images, labels

    batches = same()

    def block(steps: int) -> float:
        seen = train_segment(
            trainer, batches, steps, batch=task.batch, phase="window", step_ns=10**6, count_correct=False
        )
        return seen.times.wall_ns / 1e9

    return block


def fabric(task: Task) -> Block:
    from lightning_fabric import Fabric

    model, optimizer, images, labels = workload(task)
    runtime = Fabric(accelerator=task.device.type, devices=1)
    return framework(task.device, *runtime.setup(model, optimizer), (images, labels), runtime.backward)


def accelerate(task: Task) -> Block:
    from accelerate import Accelerator

    model, optimizer, images, labels = workload(task)
    runtime = Accelerator(cpu=task.device.type == "cpu")
    return framework(task.device, *runtime.prepare(model, optimizer), (images, labels), runtime.backward)


def framework(
    device: torch.device,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: tuple[torch.Tensor, torch.Tensor],
    backward: Callable[[torch.Tensor], None],
) -> Block:
    """The loop that both frameworks' guides show, around what they wrapped."""
    images, labels = batch
    loss_of = nn.CrossEntropyLoss()
    model.train()

    def steps_of(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            backward(loss_of(model(images), labels))
            optimizer.step()

    return bracketed(steps_of, device)


def bracketed(loop: Callable[[int], None], device: torch.device) -> Block:
    """A block as the harness runs its own: garbage is collected before the clock starts."""
    synchronize = devices.load(device.type).synchronize

    def block(steps: int) -> float:
        gc.collect()
        synchronize(device)
        began = time.perf_counter()
        loop(steps)
        synchronize(device)
        return time.perf_counter() - began

    return block


def compare(reference: Block, arm: Block, steps: int, pairs: int) -> dict[str, float | int]:
    """Ratio of rates, arm over reference, with a 95 % t interval over A/B/B/A pairs of blocks."""
    logs = []
    for _ in range(pairs):
        first, one, two, last = (each(steps) for each in (reference, arm, arm, reference))
        logs.append(math.log((first + last) / (one + two)))
    mean, error = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(pairs)
    reach = float(stats.t.ppf(0.975, pairs - 1)) * error
    # Bursts of a shared machine hit single blocks: the median and its distribution-free interval stand beside.
    ordered = sorted(logs)
    low = int(stats.binom.ppf(0.025, pairs, 0.5))
    return {
        "ratio": math.exp(mean),
        "low": math.exp(mean - reach),
        "high": math.exp(mean + reach),
        "median": math.exp(statistics.median(logs)),
        "median_low": math.exp(ordered[low]),
        "median_high": math.exp(ordered[pairs - 1 - low]),
        "pairs": pairs,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pairs", type=int, default=800)
    arguments.add_argument("--device", choices=CASES, default="cpu")
    arguments.add_argument("--arms", default="bench,fabric,accelerate")
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    if asked.device == "cpu" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    backend = devices.load(asked.device)
    device = backend.prepare(0, 1)
    devices.set_float32_precision("fp32")
    arms = {"bench": harnessed}
    for name, build_arm, module in (("fabric", fabric, "lightning_fabric"), ("accelerate", accelerate, "accelerate")):
        if name not in asked.arms.split(","):
            continue
        if importlib.util.find_spec(module) is None:
            print(f"{name}: not installed, not timed", file=sys.stderr)
        else:
            arms[name] = build_arm
    clock_ns = clock_ns_per_step(backend, device, Heart(Path(tempfile.mkdtemp()), 0))
    findings = []
    print(f"{'step':>6} {'arm':<11} {'mean ratio [95 %]':<26} {'median ratio [95 %]':<26} pairs  step ms  our calls")
    for label, model, batch, steps, gate in CASES[asked.device]:
        task = Task(model, batch, device)
        reference = bare(task)
        for _ in range(3):
            reference(steps)
        step_ms = min(reference(steps) for _ in range(5)) / steps * 1e3
        for name, build_arm in arms.items():
            arm = build_arm(task)
            arm(steps)
            gc.collect()
            gc.freeze()  # what exists by now need not be looked at again before every block
            found = compare(reference, arm, steps, asked.pairs)
            cost = clock_ns / (step_ms * 1e6) if name == "bench" else None
            findings.append({"case": label, "arm": name, "step_ms": step_ms, "gate": gate, "accounted": cost, **found})
            print(
                f"{label:>6} {name:<11} {found['ratio']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"
                f"   {found['median']:.4f} [{found['median_low']:.4f}, {found['median_high']:.4f}]"
                f"   {asked.pairs:5d}  {step_ms:7.2f}" + (f"  {cost:.4%}" if cost is not None else ""),
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps(findings, indent=1))


if __name__ == "__main__":
    main()
