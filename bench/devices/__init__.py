"""Backends, one file each, found by name: how to set a device up, wait for it, time its steps and ask its memory.

A backend is a module with these functions:

    prepare(local_rank, threads) -> torch.device   choose the device and its thread count, once, before anything runs
    synchronize(device)                            wait until all work handed to the device is done
    clock(device, steps, step_ns) -> Clock         a clock for a segment of at most `steps` steps of about `step_ns`
    peak_memory_bytes(device) -> int | None        since the start of the process
    name(device) -> str                            what the device calls itself
    place(device) -> str                           which piece of hardware: two ranks may not share one
"""

from array import array
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Protocol

import torch


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """What a clock saw of one segment: arrays with an entry a step (or a block of steps), times in ns.

    `start_ns` is on the host's monotonic clock. `wall_ns` is the segment's synchronised bracket, read independently of
    the steps: the two must agree (closure). `outside_ns` is the part of the bracket that is known to lie before the
    first boundary or after the last.
    """

    start_ns: "array[int]"
    step_ns: "array[int]"
    wait_ns: "array[int]"
    steps: "array[int]"
    wall_ns: int
    outside_ns: int = 0

    @property
    def closure_error(self) -> float:
        """|(sum of the step intervals + what lies outside of them) / wall - 1|."""
        return abs((sum(self.step_ns) + self.outside_ns) / self.wall_ns - 1) if self.wall_ns else 0.0


class Clock(Protocol):
    """Times the steps of one segment. Between `start` and `stop` it neither waits for the device nor allocates."""

    def start(self) -> None:
        """Open the bracket; the device must be idle. The first step begins."""

    def ready(self) -> None:
        """The step has its batch."""

    def end(self) -> None:
        """The step's last operation has been handed to the device; the next one begins."""

    def stop(self) -> StepTimes:
        """Wait for the device, close the bracket and tell."""


def load(kind: str) -> ModuleType:
    """The backend module for cpu, cuda or mps."""
    return import_module(f"bench.devices.{kind}")


def set_float32_precision(precision: str) -> None:
    """fp32 means IEEE fp32 on every backend: TF32 or bf16 inside "fp32" would be a silent gift. tf32 asks for it."""
    wanted = "tf32" if precision == "tf32" else "ieee"
    torch.backends.fp32_precision = wanted  # type: ignore[attr-defined]
    # Up to torch 2.11 at least, cuDNN's own settings start as TF32 and do not follow the one above.
    for own in (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn):  # type: ignore[attr-defined]
        own.fp32_precision = wanted  # type: ignore[union-attr]
