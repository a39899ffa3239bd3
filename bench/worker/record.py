"""What a rank saw while it trained, segment by segment; kept in plain lists until the training is over."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from bench.worker.train import Segment

_COLUMNS = ("epoch", "step", "in_window", "start_ns", "step_ns", "data_wait_ns", "samples", "steps", "segment")


@dataclass
class Record:
    """What this rank saw, segment by segment, and what it found out about itself."""

    origin_ns: int = 0
    columns: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in _COLUMNS})
    closure_errors: list[float] = field(default_factory=list)
    losses_finite: bool = True
    step: int = 0
    segments: int = 0
    window_cpu_s: float = 0.0
    window_switches: int = 0
    window_collection_ns: int = 0  # by Python's garbage collector

    def add(self, segment: Segment, *, epoch: int, in_window: bool, batch: int) -> None:
        """Append a segment's steps."""
        times = segment.times
        for start, length, wait, steps in zip(times.start_ns, times.step_ns, times.wait_ns, times.steps, strict=True):
            since, samples = start - self.origin_ns, steps * batch
            row = (epoch, self.step, int(in_window), since, length, wait, samples, steps, self.segments)
            for name, value in zip(_COLUMNS, row, strict=True):
                self.columns[name].append(value)
            self.step += steps
        self.segments += 1
        if in_window:
            lost = 1 - sum(times.steps) * batch / segment.samples  # steps that were trained and not timed
            self.closure_errors.append(max(times.closure_error, abs(lost)))
        self.losses_finite = self.losses_finite and math.isfinite(segment.loss_sum)

    def median_step_ns(self) -> int:
        """The median length of all steps so far; 0 without any."""
        if not self.columns["steps"]:
            return 0
        return round(
            median(length / steps for length, steps in zip(self.columns["step_ns"], self.columns["steps"], strict=True))
        )

    def save(self, file: Path) -> None:
        """Leave the steps as arrays of int64, one per column."""
        arrays = {name: np.asarray(values, dtype=np.int64) for name, values in self.columns.items()}
        np.savez(file, allow_pickle=False, **arrays)
