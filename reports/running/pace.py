"""How long a running study will still take, from the launches that ended and from how far the running one has come."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.plan import Plan, PlannedLaunch
from launchers.heartbeat import Beat

Clock = Callable[[], float]  # seconds; only differences count

# Of a launch's training. Until then the guess counts too, the less the more is done: the first steps are no pace yet.
_TRUSTED_AFTER = 0.05
# Of the guess, for all that is not done: a start on a busy machine can take longer than the guess for everything.
_AT_LEAST = 1 / 3
_BUSY = 0.25  # of a launch's cores: others used more of them
_SLOWER = 1.5  # times what everything took at first
_FOLLOW = 0.7  # of what a launch took longer or shorter than expected is the machine, and holds for those to come
_LEARN = 0.3  # of the rest is the configuration itself
_SHORTEST_S = 0.1


@dataclass
class Durations:
    """A launch is a start-up, and a training of which a window of seconds takes as long on any machine.

    The rest is what its configuration takes times how busy the machine is. Of a configuration that was seen, all that a
    launch lasts longer than expected is news of the machine, so it is applied to every configuration to come; one that
    was not seen takes what the plan guessed, times what its guesses were wrong by so far.
    """

    guesses: Mapping[str, tuple[float, float]]  # of each configuration: the start-up, and the training
    window_s: float = 0.0  # of a launch, whatever the machine does
    _own: dict[str, tuple[float, float]] = field(default_factory=dict)  # the same, learned, without the window
    _busy: float = 0.0  # logarithm of how much longer everything takes than it did at first

    def ended(self, key: str, start_s: float, total_s: float) -> None:
        """A launch has ended."""
        start_s = max(_SHORTEST_S, start_s)
        training_s = max(_SHORTEST_S, total_s - start_s - self.window_s)
        if key in self._own:
            self._busy += _FOLLOW * math.log((start_s + training_s) / self._varying_s(key))
        quiet = start_s / self.slower, training_s / self.slower
        before = self._own.get(key, quiet)
        self._own[key] = (_between(before[0], quiet[0]), _between(before[1], quiet[1]))

    @property
    def slower(self) -> float:
        """How much longer everything takes now than it did at first."""
        return math.exp(self._busy)

    def knows(self, key: str) -> bool:
        """Whether a launch of this configuration has ended."""
        return key in self._own

    def expected_s(self, key: str, ratio: float = 1.0) -> float:
        """From start to end of a launch to come, where the machine is slower by a ratio than the last one told."""
        return self.window_s + ratio * self._varying_s(key)

    def ratio(self, key: str, total_s: float, share: float) -> float:
        """How much slower the machine is than the launches that ended told, by one that runs.

        Args:
            key: its configuration.
            total_s: what it will take by its own pace.
            share: of it, that has passed: the less, the less it tells.
        """
        varying_s = max(_SHORTEST_S, total_s - self.window_s)
        if self._own and key not in self._own:
            return 1.0  # it may be the configuration
        follow = _FOLLOW * min(1.0, share) if self._own else 1.0  # what a plan guessed is no ground to hold on to
        return math.exp(follow * math.log(varying_s / self._varying_s(key)))

    def _varying_s(self, key: str) -> float:
        if key in self._own:
            return sum(self._own[key]) * self.slower
        start_s, training_s = self._guess(key)
        if not self._own:
            return start_s + training_s
        starts = [start for start, _ in self._own.values()]
        wrong = [math.log(training / self._guess(seen)[1]) for seen, (_, training) in self._own.items()]
        learned_s = sum(starts) / len(starts) + training_s * math.exp(sum(wrong) / len(wrong))
        return learned_s * self.slower

    def _guess(self, key: str) -> tuple[float, float]:
        start_s, training_s = self.guesses[key]
        return start_s, max(_SHORTEST_S, training_s - self.window_s)


def _between(was: float, now: float) -> float:
    return was * math.exp(_LEARN * math.log(now / was))


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

    @property
    def started_up_s(self) -> float:
        """From its begin to its first step; nothing, where none was heard."""
        return self._first_s - self.began_s

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
    """How long the rest will take: the running launch by its own steps, those to come by what ended launches taught."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._durations = Durations({})
        self._to_come: tuple[PlannedLaunch, ...] = ()
        self._key = ""  # of the running launch's configuration
        self._running: Running | None = None
        self._others_share: float | None = None
        self._ended_s: float | None = None  # when the last launch did: what lies between two belongs to the next

    def started(self, plan: Plan) -> None:
        self._to_come = plan.launches
        each_s = plan.estimated_s / max(1, len(plan.launches))
        guesses = plan.estimates or {each.key: (0.0, each_s) for each in plan.configurations}
        self._durations = Durations(guesses, window_s=plan.workload.seconds or 0.0)

    def launch_started(self, planned: PlannedLaunch, index: int, plan: Plan) -> None:
        began_s = self._clock() if self._ended_s is None else self._ended_s
        self._key, self._running = planned.configuration.key, Running(plan, began_s)
        self._to_come = plan.launches[index + 1 :]

    def heard(self, beat: Beat | None) -> None:
        """What the running launch's slowest rank says."""
        if self._running is not None and beat is not None:
            self._running.heard(beat, self._clock())

    def launch_ended(self, others_share: float | None = None) -> None:
        """The running launch has ended; others used this share of its cores meanwhile."""
        self._ended_s, self._others_share = self._clock(), others_share
        if self._running is not None:
            running = self._running
            self._durations.ended(self._key, running.started_up_s, self._ended_s - running.began_s)
        self._running = None

    @property
    def why_long(self) -> str:
        """Why it takes longer than was promised, in words; empty where nothing is the matter."""
        if self._others_share is not None:
            return "the machine is busy" if self._others_share > _BUSY else ""
        return "slower than at first" if self._durations.slower > _SLOWER else ""

    def left_s(self) -> float:
        """Until the plan is done."""
        if self._running is None:
            return sum(self._durations.expected_s(each.configuration.key) for each in self._to_come)
        now_s = self._clock()
        passed_s = now_s - self._running.began_s
        left_s = self._running.left_s(now_s, self._durations.expected_s(self._key))
        ours_s = max(1e-3, passed_s + left_s)
        ratio = self._durations.ratio(self._key, ours_s, passed_s / ours_s)
        for each in self._to_come:
            alike = each.configuration.key == self._key and not self._durations.knows(self._key)
            left_s += ours_s if alike else self._durations.expected_s(each.configuration.key, ratio)
        return left_s
