"""The timed window of steps or of seconds: as much as was asked for, all of it after the launch's slow start."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.plan import Workload
from bench.transient import slow_start
from bench.worker.group import Group
from bench.worker.record import Record

_MARGIN = 1.02  # a step's length is an estimate, and a window that falls short needs a further part
_PARTS = 5  # of a window at most
_FIRST = 0.25  # of the seconds: the warm-up may have been far faster, and a part that is begun is ended


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
