"""A rank's sign of life: 40 bytes in a mapped file, written once a step, read by the supervisor at leisure.

A plain store to mapped memory costs under a microsecond and no system call, so it may stand inside a timed window.
"""

import mmap
import struct
import time
from dataclasses import dataclass
from pathlib import Path

_FORMAT = struct.Struct("<qqqqq")  # monotonic ns, phase, step, steps planned, epoch
PHASES = (
    *("starting", "joining", "preparing", "building"),
    *("warm-up", "window", "evaluating", "saving", "finishing", "done"),
)


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What a rank last said of itself."""

    rank: int
    phase: str
    step: int
    steps: int  # planned; 0 while unknown
    monotonic_ns: int  # CLOCK_MONOTONIC of the rank; 0: it has not spoken yet
    epoch: int = 0  # whole epochs are counted from 1; 0 before the first, and where there are none


def path(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.heartbeat"


def silent(rank: int) -> Beat:
    """Of a rank that has not spoken yet."""
    return Beat(rank=rank, phase=PHASES[0], step=0, steps=0, monotonic_ns=0)


class Heart:
    """The writing end, one per rank."""

    def __init__(self, folder: Path, rank: int) -> None:
        file = path(folder, rank)
        file.write_bytes(bytes(_FORMAT.size))
        with file.open("r+b") as handle:
            self._map = mmap.mmap(handle.fileno(), _FORMAT.size)
        self._phase = 0
        self._steps = 0
        self.epoch = 0

    def enter(self, phase: str, step: int = 0, steps: int = 0) -> None:
        """Say which phase has begun and, when known, how many steps it has."""
        self._phase = PHASES.index(phase)
        self._steps = steps
        self.beat(step)

    def beat(self, step: int) -> None:
        """Say that this step has ended."""
        _FORMAT.pack_into(self._map, 0, time.monotonic_ns(), self._phase, step, self._steps, self.epoch)


def read(folder: Path, rank: int) -> Beat:
    """The last sign of life of a rank; all zero when there is none yet."""
    try:
        raw = path(folder, rank).read_bytes()
    except FileNotFoundError:
        raw = b""
    when, phase, step, steps, epoch = _FORMAT.unpack(raw) if len(raw) == _FORMAT.size else (0, 0, 0, 0, 0)
    return Beat(rank=rank, phase=PHASES[phase], step=step, steps=steps, monotonic_ns=when, epoch=epoch)
