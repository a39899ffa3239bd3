"""The CPU: work is done when the call returns, so the host's clock tells the truth."""

import os
import resource
import sys
import time
from array import array

import torch

from bench.devices import StepTimes


def prepare(local_rank: int, threads: int | None) -> torch.device:  # noqa: ARG001 - the core set was given before torch was imported
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    return torch.device("cpu")


def synchronize(device: torch.device) -> None:
    """Nothing is ever outstanding."""


def peak_memory_bytes(device: torch.device) -> int | None:  # noqa: ARG001 - the same for every backend
    """Peak resident set of this process, interpreter and libraries included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def name(device: torch.device) -> str:  # noqa: ARG001
    return "cpu"


def place(device: torch.device) -> str:  # noqa: ARG001
    """The cores this rank may use; all the same where the system cannot pin."""
    if not hasattr(os, "sched_getaffinity"):
        return "unpinned"
    return ",".join(str(core) for core in sorted(os.sched_getaffinity(0)))


class HostClock:
    """Two readings of the monotonic clock a step, into memory that was there before.

    A step lasts from one boundary to the next, so nothing between two steps goes missing; what happens before the first
    or after the last is what closure shows.
    """

    def __init__(self, steps: int) -> None:
        empty = bytes(8 * (steps + 1))
        self._boundary, self._ready = array("q", empty), array("q", empty)
        self._now = time.perf_counter_ns
        self._index = 0
        self._opened = 0

    def start(self) -> None:
        self._opened = self._boundary[0] = self._now()

    def ready(self) -> None:
        self._ready[self._index] = self._now()

    def end(self) -> None:
        self._index += 1
        self._boundary[self._index] = self._now()

    def stop(self) -> StepTimes:
        wall_ns = self._now() - self._opened
        steps = self._index
        boundary, ready = self._boundary[: steps + 1], self._ready[:steps]
        return StepTimes(
            start_ns=boundary[:steps],
            step_ns=array("q", map(int.__sub__, boundary[1:], boundary)),
            wait_ns=array("q", map(int.__sub__, ready, boundary)),
            steps=array("q", [1] * steps),
            wall_ns=wall_ns,
        )


def clock(device: torch.device, steps: int, step_ns: int) -> HostClock:  # noqa: ARG001
    return HostClock(steps)
