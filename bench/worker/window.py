"""The timed window of steps or of seconds: as much as was asked for, all of it after the launch's slow start."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from bench.plan import Workload
from bench.transient import slow_start
from bench.worker.group import Group
from bench.worker.train import Segment

_COLUMNS = ("epoch", "step", "in_window", "start_ns", "step_ns", "data_wait_ns", "samples", "steps", "segment")
_MARGIN = 1.02  # a step's length is an estimate, and a window that falls short needs a further part
_PARTS = 5  # of a window at most
_FIRST = 0.25  # of the seconds: the warm-up may have been far faster, and a part that is begun is ended


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


@dataclass(frozen=True, kw_only=True)
class Window:
    """One rank's. All ranks decide alike, from what all of them saw, between two segments and never within one."""

    record: Record
    group: Group
    workload: Workload
    minimum_steps: int  # of seconds, however slow a step is

    def time(self, train: Callable[[int, int], object], start_over: Callable[[], None]) -> None:
        """Time what was asked for; once more where the first try began in the slow start, which is then warm-up.

        Whether there is a second try depends on how the steps changed and not on how fast they were; it is kept
        however it went, and holds none of the steps that decided. So the rate is not pushed to either side.

        Args:
            train: (steps, their rough length in ns): trains them as a part of the window.
            start_over: makes warm-up of what was timed so far.
        """
        self._fill(train)
        if not self._is_steady():
            start_over()
            self._fill(train)

    def _fill(self, train: Callable[[int, int], object]) -> None:
        if self.workload.steps is not None:
            train(self.workload.steps, self._step_ns())
            return
        asked_ns, most = (self.workload.seconds or 0.0) * 1e9, _PARTS
        while most and (missing_ns := asked_ns - max(self.group.gather(self.record.window_ns()))) > 0:
            step_ns = self._step_ns()
            first = most == _PARTS
            steps = math.ceil((_FIRST if first else _MARGIN) * missing_ns / step_ns)
            train(max(steps, self.minimum_steps if first else 1), step_ns)
            most = most - 1 if self.record.window_ns() else 0  # what is looked into is not timed

    def _step_ns(self) -> int:
        """The length of a step by now, on the slowest rank."""
        lengths: list[int] = self.group.gather(self.record.recent_step_ns())
        return max(lengths)

    def _is_steady(self) -> bool:
        lengths, timed = self.record.entries()
        slowest = np.max(self.group.gather(lengths), axis=0)
        return slow_start(slowest, len(lengths) - timed) == 0
