"""What a rank saw while it trained, segment by segment; kept in plain lists until the training is over."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from bench.worker.train import Segment

_COLUMNS = ("epoch", "step", "in_window", "start_ns", "step_ns", "data_wait_ns", "samples", "steps", "segment")


@dataclass
class Record:
    """What this rank saw, segment by segment, and what it found out about itself."""

    origin_ns: int = 0  # when the first step could begin
    first_step_monotonic_ns: int = 0  # the same, on the clock that is the same for all processes of a host
    columns: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in _COLUMNS})
    closure_errors: list[float] = field(default_factory=list)
    losses_finite: bool = True
    step: int = 0
    segments: int = 0
    window_cpu_s: float = 0.0
    window_switches: int = 0
    window_collection_ns: int = 0  # by Python's garbage collector

    def begin(self) -> None:
        """From here on it is training."""
        self.origin_ns = time.perf_counter_ns()
        self.first_step_monotonic_ns = time.monotonic_ns()

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

    def start_over(self) -> None:
        """What was timed so far is warm-up."""
        self.columns["in_window"] = [0] * len(self.columns["in_window"])
        self.closure_errors.clear()
        self.window_cpu_s, self.window_switches, self.window_collection_ns = 0.0, 0, 0

    def entries(self) -> tuple[list[float], int]:
        """The length of a step in each entry so far, and how many of the entries, the last ones, are timed."""
        lengths = [length / steps for length, steps in zip(self.columns["step_ns"], self.columns["steps"], strict=True)]
        return lengths, sum(self.columns["in_window"])

    def window_ns(self) -> int:
        """How long the timed steps took so far."""
        return sum(
            length for length, timed in zip(self.columns["step_ns"], self.columns["in_window"], strict=True) if timed
        )

    def median_step_ns(self) -> int:
        """The median length of all steps so far; 0 without any."""
        lengths, _ = self.entries()
        return round(median(lengths)) if lengths else 0

    def recent_step_ns(self) -> int:
        """The same of the later half of the entries: what a step takes by now."""
        lengths, _ = self.entries()
        return round(median(lengths[len(lengths) // 2 :]))

    def save(self, file: Path) -> None:
        """Leave the steps as arrays of int64, one per column."""
        arrays = {name: np.asarray(values, dtype=np.int64) for name, values in self.columns.items()}
        np.savez(file, allow_pickle=False, **arrays)
