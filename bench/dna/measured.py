"""What a machine can do at most: products, memory, copies, disk, the cost of an operation. A process of its own.

`python -P -m bench.dna.measured --threads 2 --folder bench-results` prints one JSON object; `bench.dna.ceilings` runs
it and gives the meaning of its fields.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench import devices
from bench.dna import gpu
from bench.dna.ceilings import summary, times_s
from bench.dna.facts import plain

_MIB = 2**20
_LEAST_SHARE = 0.9  # of the processors' time; with less of it, somebody else was using them
_IDLE, _SET_BY_HAND = 0x1, 0x2  # reasons of NVML for lower clocks that are no throttling


class CeilingMeter:
    """Measures one thing after the other and notes what may have disturbed it."""

    def __init__(self, device: torch.device, threads: int) -> None:
        self.device, self._threads = device, threads
        self.measured: dict[str, Any] = {}
        self.unavailable: dict[str, str] = {}
        self.flags: list[str] = []
        self._share = 1.0  # of the cores' time, while they were to be busy

    def wait(self) -> None:
        """Until the device is idle."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)

    def take(self, name: str, what: str, measure: Callable[[], Any]) -> None:
        """Measure one thing; what cannot be measured here costs itself only.

        Args:
            name: the field.
            what: what to call it while it is measured.
            measure: gives the field's value.
        """
        print(f"Measuring {what} …", file=sys.stderr, flush=True)
        self._share = 1.0
        try:
            self.measured[name] = measure()
        except (RuntimeError, OSError, NotImplementedError) as error:
            self.unavailable[name] = plain(str(error).partition("\n")[0])
            return
        if self._share < _LEAST_SHARE:
            self.flags.append(f"{name}: had {self._share:.0%} of the cores' time; other programs had the rest")
        self.flags += [f"{name}: {reason}" for reason in _throttled()]

    def _busy(self, work: Callable[[], object], n: int, warm_up: int = 2) -> list[float]:
        """Times of what keeps every thread of the CPU busy, or the device; notes whether it got them."""
        wall, used = time.perf_counter(), time.process_time()
        taken = times_s(work, n, warm_up=warm_up, wait=self.wait)
        if self.device.type == "cpu":
            share = (time.process_time() - used) / (time.perf_counter() - wall) / self._threads
            self._share = min(self._share, share)
        return taken

    def all(self, folder: Path) -> dict[str, Any]:
        """Everything, in some 15 s on two cores."""
        self.take("gemm_flop_per_s", "matrix products", self._gemm)
        self.take("memory_bytes_per_s", "memory", self._memory)
        if self.device.type == "cuda":
            self.take("copy_bytes_per_s", "copies to the GPU and back", self._copies)
        else:
            self.unavailable["copy_bytes_per_s"] = "no NVIDIA GPU that torch can use: the CPU's memory is the device's"
        self.take("launch_s", "the cost of an operation", self._launch)
        self.take("training_step_s", "the cost of a step", self._training_step)
        with _scratch(folder) as file:
            self.take("disk_write_bytes_per_s", "the disk", lambda: _disk(file))
            self.take("fsync_s", "how long the disk takes to acknowledge", lambda: _fsync(file))
        return {
            "device": self.device.type,
            "threads": self._threads,
            **self.measured,
            "flags": self.flags,
            "unavailable": self.unavailable,
        }

    def _gemm(self) -> dict[str, Any]:
        side = 1024 if self.device.type == "cpu" else 8192
        wanted = {"cpu": ("fp32", "bf16"), "mps": ("fp32", "bf16", "fp16")}
        found = {}
        for name in wanted.get(self.device.type, ("fp32", "tf32", "bf16", "fp16")):
            dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(name, torch.float32)
            devices.set_float32_precision("tf32" if name == "tf32" else "fp32")
            # Random: products of zeros draw less power, and clocks stay higher than training ever sees them.
            a, b = (torch.randn(side, side, device=self.device).to(dtype) for _ in range(2))
            out = torch.empty_like(a)
            taken = self._busy(partial(torch.mm, a, b, out=out), 20, warm_up=5)
            found[name] = summary([2 * side**3 / each for each in taken])
        return found

    def _memory(self) -> dict[str, Any]:
        """STREAM's triad, a = b + s c: three arrays, far longer than any cache."""
        length = (64 if self.device.type == "cpu" else 512) * _MIB // 4
        a, b, c = (torch.rand(length, device=self.device) for _ in range(3))
        taken = self._busy(lambda: torch.add(b, c, alpha=3.0, out=a), 15)
        return summary([3 * 4 * length / each for each in taken])

    def _copies(self) -> dict[str, Any]:
        here = torch.empty(256 * _MIB, dtype=torch.uint8, pin_memory=True)
        there = torch.empty_like(here, device=self.device)
        both = {
            "to_device": lambda: there.copy_(here, non_blocking=True),
            "from_device": lambda: here.copy_(there, non_blocking=True),
        }
        return {name: summary([len(here) / t for t in times_s(go, 15, wait=self.wait)]) for name, go in both.items()}

    def _launch(self) -> dict[str, Any]:
        """Seconds a call that computes next to nothing keeps the caller."""
        x = torch.zeros(1, device=self.device)

        def many() -> None:
            for _ in range(1000):
                x.add_(1.0)

        taken = times_s(many, 11)
        self.wait()
        return summary([each / 1000 for each in taken])

    def _training_step(self) -> dict[str, Any]:
        """Seconds that a step of a model of next to no work takes: forward, backward, SGD."""
        model = nn.Linear(8, 8, device=self.device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        images = torch.rand(4, 8, device=self.device)

        def step() -> None:
            optimizer.zero_grad()
            model(images).sum().backward()
            optimizer.step()

        return summary(times_s(step, 200, warm_up=20, wait=self.wait))


def _throttled() -> Iterator[str]:
    """GPUs whose clocks are held down now, in the driver's words."""
    for number, card in enumerate(gpu.read().conditions.values.get("gpus", [])):
        reasons = int(card.get("throttle_reasons", "0x0"), 16) & ~(_IDLE | _SET_BY_HAND)
        if reasons:
            yield f"GPU {number} was throttled (reasons {reasons:#x})"


@contextmanager
def _scratch(folder: Path) -> Iterator[int]:
    """A file in `folder`, or in the nearest folder above that is there, gone afterwards."""
    there = next((each for each in (folder, *folder.resolve().parents) if each.is_dir()), Path())
    with tempfile.TemporaryFile(dir=there, prefix=".bench-disk-") as file:
        yield file.fileno()


def _disk(file: int) -> Mapping[str, Any]:
    """Bytes a second written one after the other, until the disk says that it has them."""
    block = os.urandom(_MIB)

    def write() -> None:
        os.lseek(file, 0, os.SEEK_SET)
        for _ in range(64):
            os.write(file, block)
        os.fsync(file)

    return summary([64 * _MIB / each for each in times_s(write, 5, warm_up=1)])


def _fsync(file: int) -> Mapping[str, Any]:
    """Seconds until the disk has acknowledged 4 KiB."""
    block = os.urandom(4096)

    def write() -> None:
        os.write(file, block)
        os.fsync(file)

    return summary(times_s(write, 30))


def main() -> None:
    """Print the measured layer as JSON, without the collectives."""
    parser = argparse.ArgumentParser(prog="python -P -m bench.dna.measured", description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="on the disk to measure; need not be there yet")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = torch.accelerator.current_accelerator(check_available=True)
    print(json.dumps(CeilingMeter(found or torch.device("cpu"), given.threads).all(given.folder), allow_nan=False))


if __name__ == "__main__":
    main()
