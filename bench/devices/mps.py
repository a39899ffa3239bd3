"""Apple's GPU: blocks of steps closed by a synchronisation.

Whether recording a timing event commits the command buffer, and so changes what is timed, is not settled; a block long
enough makes the synchronisation's own cost vanish instead. One row of the step table is then one block.
"""

import time
from array import array

import torch

from bench.devices import StepTimes

_BLOCK_NS = 100_000_000  # 0.1 s a block: a synchronisation of 0.1 ms is a thousandth of it


def prepare(local_rank: int, threads: int | None) -> torch.device:
    if local_rank != 0:
        raise RuntimeError("this machine has one MPS device, and only rank 0 can use it")
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.device("mps")


def synchronize(device: torch.device) -> None:  # noqa: ARG001 - there is one
    torch.mps.synchronize()


def peak_memory_bytes(device: torch.device) -> int | None:  # noqa: ARG001
    """What the Metal driver holds for this process; there is no peak to ask, but its heap does not shrink."""
    return torch.mps.driver_allocated_memory()


def name(device: torch.device) -> str:  # noqa: ARG001
    return "mps"


def place(device: torch.device) -> str:  # noqa: ARG001
    return "mps:0"


class BlockClock:
    """Closes a block of `block` steps by waiting for the device, then reads the host's clock."""

    def __init__(self, device: torch.device, steps: int, block: int) -> None:
        self._device = device
        empty = bytes(8 * (-(-steps // block)))
        self._start, self._length, self._wait, self._steps = (array("q", empty) for _ in range(4))
        self._block = block
        self._now = time.perf_counter_ns
        self._rows = 0
        self._in_block = 0
        self._opened = self._begun = self._last = self._waited = 0

    def start(self) -> None:
        self._opened = self._begun = self._last = self._now()

    def ready(self) -> None:
        self._waited += self._now() - self._last

    def end(self) -> None:
        self._in_block += 1
        if self._in_block == self._block:
            self._close()
        self._last = self._now()

    def _close(self) -> None:
        synchronize(self._device)
        row, now = self._rows, self._now()
        self._start[row], self._length[row], self._begun = self._begun, now - self._begun, now
        self._wait[row], self._steps[row] = self._waited, self._in_block
        self._rows += 1
        self._in_block = self._waited = 0

    def stop(self) -> StepTimes:
        if self._in_block:
            self._close()
        wall_ns = self._now() - self._opened  # nothing was handed to the device since the last block was closed
        start, length, wait, steps = (
            times[: self._rows] for times in (self._start, self._length, self._wait, self._steps)
        )
        return StepTimes(start_ns=start, step_ns=length, wait_ns=wait, steps=steps, wall_ns=wall_ns)


def clock(device: torch.device, steps: int, step_ns: int) -> BlockClock:
    return BlockClock(device, steps, block=max(1, _BLOCK_NS // max(step_ns, 1)))
