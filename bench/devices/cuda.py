"""CUDA (and ROCm, which answers to the same name): the host runs ahead, so steps are timed by events on the stream."""

import time
from array import array

import torch

from bench.devices import StepTimes

_RING = 256  # events in flight: more than any host runs ahead of its device


def prepare(local_rank: int, threads: int | None) -> torch.device:
    if threads is not None:
        torch.set_num_threads(threads)
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    # One run of the autotuner per shape, within the warm-up: what a user who wants speed would set.
    torch.backends.cudnn.benchmark = True
    return device


def synchronize(device: torch.device) -> None:
    torch.cuda.synchronize(device)


def peak_memory_bytes(device: torch.device) -> int | None:
    """Peak of the memory that torch's allocator reserved on the device."""
    return torch.cuda.max_memory_reserved(device)


def name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device)


def place(device: torch.device) -> str:
    """Distinguishes two devices within this host; never leaves it."""
    return f"cuda:{torch.cuda.get_device_properties(device).uuid}"


class EventClock:
    """One event a step boundary, from a ring made beforehand and read once the device has passed it.

    The interval between two boundaries is the device's own (about 0.5 us fine); all of them together must equal the
    host's bracket around two synchronisations. An entry is read `ring` steps after it was recorded. Should the device
    be further behind than that, reading waits for it, which only happens when the host is far ahead.
    """

    def __init__(self, device: torch.device, steps: int, ring: int = _RING) -> None:
        self._device = device
        self._events = [_event() for _ in range(min(ring, steps) + 1)]
        empty = bytes(8 * steps)
        self._step_ns, self._asked, self._ready = array("q", empty), array("q", empty), array("q", empty)
        self._now = time.perf_counter_ns
        self._index = 0  # steps recorded
        self._read = 0  # steps read back
        self._opened = self._last = 0  # host times: of the bracket, and of the last boundary

    def start(self) -> None:
        self._opened = self._last = self._now()
        self._events[0].record()

    def ready(self) -> None:
        self._asked[self._index], self._ready[self._index] = self._last, self._now()

    def end(self) -> None:
        self._index += 1
        slots = len(self._events)
        if self._index - self._read >= slots:
            self._read_one()
        self._events[self._index % slots].record()
        self._last = self._now()

    def _read_one(self) -> None:
        slots = len(self._events)
        before, after = self._events[self._read % slots], self._events[(self._read + 1) % slots]
        after.synchronize()  # returns at once when the device has passed it
        self._step_ns[self._read] = round(before.elapsed_time(after) * 1e6)
        self._read += 1

    def stop(self) -> StepTimes:
        torch.cuda.synchronize(self._device)
        wall_ns = self._now() - self._opened
        while self._read < self._index:
            self._read_one()
        step_ns = self._step_ns[: self._index]
        start_ns, now = array("q"), self._opened
        for length in step_ns:
            start_ns.append(now)
            now += length
        wait_ns = array("q", map(int.__sub__, self._ready[: self._index], self._asked[: self._index]))
        return StepTimes(
            start_ns=start_ns, step_ns=step_ns, wait_ns=wait_ns, steps=array("q", [1] * self._index), wall_ns=wall_ns
        )


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def clock(device: torch.device, steps: int, step_ns: int) -> EventClock:  # noqa: ARG001
    return EventClock(device, steps)
