"""The CPU: work is done when the call returns, so the host's clock tells the truth."""

import os
import resource
import sys
import time
import warnings
from array import array
from collections.abc import Callable

import torch

from bench.devices import StepTimes

_TRIES, _TIGHT_NS = 16, 500  # of a moment on two clocks
_OWN_WAY_NS = 100_000  # from the last step to the end of the bracket, through code that may lie in no cache yet


def other_ns() -> int:
    """A clock that the steps are not timed by, which no time synchronisation speeds up or slows down."""
    if hasattr(time, "CLOCK_MONOTONIC_RAW"):
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    return time.monotonic_ns()


def prepare(local_rank: int, threads: int | None) -> torch.device:  # noqa: ARG001 - the core set was given before torch was imported
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    setattr(torch, "set_num_interop_threads", _threads_between_operations)  # noqa: B010 - mypy knows it as a function
    return torch.device("cpu")


def _threads_between_operations(threads: int) -> None:
    """A process sets them once, and they are set: a model's code that sets them too must not end by that."""
    if threads != torch.get_num_interop_threads():
        warnings.warn(f"threads between operations stay {torch.get_num_interop_threads()} in every row", stacklevel=2)


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


class Bracket:
    """The wall time around a segment, on another clock than its steps, and where its ends lie on theirs.

    The core may be given to somebody else between any two readings. So each end is read on both clocks at one moment,
    and the steps' own clock tells how far from the nearest boundary that moment was: under load too, the steps and
    these distances fill the bracket. What still breaks the sum is a step that is missing, time between two steps, a
    clock that runs at another pace, and a pause after the last step in which nobody took the core away.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._opened = self._closed = (0, 0)  # on the steps' clock, and on the other
        self._switches: int | None = None  # at the close; None: not closed yet

    def open(self) -> int:
        """Open the bracket; returns the first boundary."""
        self._opened = _moment(self._now)
        return self._now()

    def close(self) -> None:
        """Close it, right after the last boundary."""
        self._switches = _switches()  # first: on the way back from a call into it, the system likes to switch
        self._closed = _moment(self._now)

    def read(self, first_ns: int, last_ns: int) -> tuple[int, int]:
        """The bracket's length, and the part of it known to lie before the first boundary or after the last."""
        outside_ns = first_ns - self._opened[0]
        if self._switches is None:  # before the last step: what happened since the last boundary is not known
            self.close()
        else:
            outside_ns += self._closed[0] - last_ns
        wall_ns = self._closed[1] - self._opened[1]
        paused_ns = self._now() - self._closed[0]
        if paused_ns > _OWN_WAY_NS and _switches() == self._switches:
            wall_ns += paused_ns
        return wall_ns, outside_ns


class HostClock:
    """Two readings of the monotonic clock a step, into memory that was there before.

    A step lasts from one boundary to the next, so nothing between two steps goes missing.
    """

    def __init__(self, steps: int) -> None:
        empty = bytes(8 * (steps + 1))
        self._boundary, self._ready = array("q", empty), array("q", empty)
        self._now = time.perf_counter_ns
        self._bracket = Bracket(self._now)
        self._index, self._steps = 0, steps

    def start(self) -> None:
        self._boundary[0] = self._bracket.open()

    def ready(self) -> None:
        self._ready[self._index] = self._now()

    def end(self) -> None:
        self._index += 1
        self._boundary[self._index] = self._now()
        if self._index == self._steps:
            self._bracket.close()

    def stop(self) -> StepTimes:
        steps = self._index
        wall_ns, outside_ns = self._bracket.read(self._boundary[0], self._boundary[steps])
        boundary, ready = self._boundary[: steps + 1], self._ready[:steps]
        return StepTimes(
            start_ns=boundary[:steps],
            step_ns=array("q", map(int.__sub__, boundary[1:], boundary)),
            wait_ns=array("q", map(int.__sub__, ready, boundary)),
            steps=array("q", [1] * steps),
            wall_ns=wall_ns,
            outside_ns=outside_ns,
        )


def _moment(now: Callable[[], int]) -> tuple[int, int]:
    """One moment on the steps' clock and on the other: the tightest of some readings, one between two."""
    tightest_ns, moment = None, (0, 0)
    for _ in range(_TRIES):
        before, other, after = now(), other_ns(), now()
        if tightest_ns is None or after - before < tightest_ns:
            tightest_ns, moment = after - before, ((before + after) // 2, other)
        if tightest_ns <= _TIGHT_NS:
            break
    return moment


def _switches() -> int:
    """How often the system took the core from this thread; from the process, where threads are not distinguished."""
    return resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)).ru_nivcsw


def clock(device: torch.device, steps: int, step_ns: int) -> HostClock:  # noqa: ARG001
    return HostClock(steps)
