"""How long a launch lasts, by those that ended: what each configuration takes, and how busy the machine is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

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
