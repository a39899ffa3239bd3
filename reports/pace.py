"""How long a running study will still take, from what its finished launches took."""

from collections.abc import Callable

from bench.plan import Plan, PlannedLaunch

Clock = Callable[[], float]  # seconds; only differences count


class Pace:
    """How long the rest will take: each launch to come lasts what its configuration's finished ones did on average."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lasted_s: dict[str, list[float]] = {}
        self._to_come: tuple[PlannedLaunch, ...] = ()
        self._current: PlannedLaunch | None = None
        self._began = clock()
        self._estimated_s = 0.0

    def started(self, plan: Plan) -> None:
        self._to_come = plan.launches
        self._estimated_s = plan.estimated_s / max(1, len(plan.launches))

    def launch_started(self, planned: PlannedLaunch, index: int, plan: Plan) -> None:
        self._current, self._to_come, self._began = planned, plan.launches[index + 1 :], self._clock()

    def launch_ended(self) -> None:
        if self._current is not None:
            self._lasted_s.setdefault(self._current.configuration.key, []).append(self.elapsed_s())
        self._current = None

    def elapsed_s(self) -> float:
        """Since the current launch began."""
        return self._clock() - self._began

    def left_s(self) -> float:
        """Until the plan is done."""
        current = max(0.0, self._expected_s(self._current) - self.elapsed_s()) if self._current else 0.0
        return current + sum(map(self._expected_s, self._to_come))

    def _expected_s(self, planned: PlannedLaunch) -> float:
        """The mean of its configuration, else of all finished launches, else the plan's own estimate."""
        alike = self._lasted_s.get(planned.configuration.key) or [s for each in self._lasted_s.values() for s in each]
        return sum(alike) / len(alike) if alike else self._estimated_s
