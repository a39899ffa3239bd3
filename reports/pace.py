"""How long a running study will still take, from the launches that ended and from how far the running one has come."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bench.plan import Plan, PlannedLaunch

Clock = Callable[[], float]  # seconds; only differences count

# Of a launch's training. Until then the guess counts too, the less the more is done: the first steps are no pace yet.
_TRUSTED_AFTER = 0.05
# Of the guess, for all that is not done: a start on a busy machine can take longer than the guess for everything.
_AT_LEAST = 1 / 3


class Beat(Protocol):
    """What a rank last said of itself; `steps` is 0 while it is unknown how many there are, `epoch` where none is."""

    @property
    def epoch(self) -> int: ...
    @property
    def phase(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...


class Running:
    """One launch while it runs. Its pace is counted from its first step: what comes before happens once."""

    def __init__(self, plan: Plan, began_s: float) -> None:
        self.began_s = began_s
        self._epochs = plan.workload.epochs
        self._warmup_steps = plan.workload.warmup_steps
        self._whole = (
            plan.keep.checkpoint_steps is None
        )  # else an epoch is several windows, of which one beat tells one
        self._first: tuple[int, float] | None = None  # epoch, and the share of it that was done
        self._last: tuple[int, float] | None = None
        self._first_s = self._last_s = began_s

    def heard(self, beat: Beat, now_s: float) -> None:
        """Take in how far the launch has come."""
        place = self._place(beat)
        if place is None or place == self._last:
            return
        self._last, self._last_s = place, now_s
        if self._first is None:
            self._first, self._first_s = place, now_s

    def left_s(self, now_s: float, guess_s: float) -> float:
        """Until it ends.

        Args:
            now_s: of the same clock as `began_s`.
            guess_s: how long it takes from start to end, to go by while little is done.
        """
        first, last = (self._done(each) if each else 0.0 for each in (self._first, self._last))
        guessed_s = max(guess_s - (now_s - self.began_s), (1 - last) * _AT_LEAST * guess_s)
        done, took_s = last - first, self._last_s - self._first_s
        if done <= 0:
            return guessed_s
        paced_s = max(0.0, took_s * (1 - last) / done - (now_s - self._last_s))
        trust = min(1.0, done / _TRUSTED_AFTER)
        return trust * paced_s + (1 - trust) * guessed_s

    def _place(self, beat: Beat) -> tuple[int, float] | None:
        """Where in its training a rank is; None outside of it.

        After the first epoch whole ones only: the steps of an epoch leave out its evaluation, so that the time left
        would rise and fall with each.
        """
        in_window = beat.phase == "window" and beat.steps > 0
        if self._epochs is None:
            return (1, beat.step / beat.steps) if in_window else None
        if not beat.epoch:
            return None
        if self._first is None or beat.epoch > self._first[0]:
            return beat.epoch, 0.0
        if not in_window or not self._whole:
            return self._last
        return beat.epoch, (self._warmup_steps + beat.step) / (self._warmup_steps + beat.steps)

    def _done(self, place: tuple[int, float]) -> float:
        """The share of the whole training."""
        epoch, within = place
        return (epoch - 1 + within) / (self._epochs or 1)


class Pace:
    """How long the rest will take: each launch to come lasts what its configuration's did on average."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lasted_s: dict[str, list[float]] = {}
        self._to_come: tuple[PlannedLaunch, ...] = ()
        self._key = ""  # of the running launch's configuration
        self._running: Running | None = None
        self._guess_s = 0.0  # the plan's, of a launch

    def started(self, plan: Plan) -> None:
        self._to_come = plan.launches
        self._guess_s = plan.estimated_s / max(1, len(plan.launches))

    def launch_started(self, planned: PlannedLaunch, index: int, plan: Plan) -> None:
        self._key, self._running = planned.configuration.key, Running(plan, self._clock())
        self._to_come = plan.launches[index + 1 :]

    def heard(self, beat: Beat | None) -> None:
        """What the running launch's slowest rank says."""
        if self._running is not None and beat is not None:
            self._running.heard(beat, self._clock())

    def launch_ended(self) -> None:
        if self._running is not None:
            self._lasted_s.setdefault(self._key, []).append(self._clock() - self._running.began_s)
        self._running = None

    def left_s(self) -> float:
        """Until the plan is done."""
        if self._running is None:
            return sum(self._expected_s(each.configuration.key, self._lasted_s) for each in self._to_come)
        now_s = self._clock()
        left_s = self._running.left_s(now_s, self._expected_s(self._key, self._lasted_s))
        ours_s = now_s - self._running.began_s + left_s
        lasted_s = {self._key: [ours_s], **self._lasted_s}  # those that ended count first
        return left_s + sum(self._expected_s(each.configuration.key, lasted_s) for each in self._to_come)

    def _expected_s(self, key: str, lasted_s: Mapping[str, Sequence[float]]) -> float:
        """The mean of its configuration, else of all launches, else the plan's own guess."""
        alike = lasted_s.get(key) or [s for each in lasted_s.values() for s in each]
        return sum(alike) / len(alike) if alike else self._guess_s
