"""Which rank hangs: who has been silent for longer than is allowed, from heartbeats alone. Touches no process."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from launchers.heartbeat import Beat, silent

_STEPPING = ("warm-up", "window")
_SLOW_STEPS = 20  # a rank may be this many of its longest steps late
_LONGEST_LOOK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How patient the supervisor is, beyond what a `Command` says."""

    look_s: float = 0.25  # between two looks at the heartbeats; a death is seen at once
    startup_s: float = 180.0  # silence allowed before the first step and after the last
    finish_s: float = 60.0  # silence allowed once another rank has ended well
    stacks_s: float = 0.2  # for ranks that hang, to write their stacks into their logs
    peers_s: float = 0.5  # for the others to see that a peer is gone, and say so
    polite_s: float = 0.5  # from SIGTERM to SIGKILL


class Watchdog:
    """Counts how long each rank has been silent.

    A rank that makes steps may be silent for `stall_s`, and never less than 20 of the longest steps seen. Outside the
    steps, where data is decoded and kernels are compiled, it may be for `startup_s` if that is longer; and once a rank
    has ended well, the others for `finish_s`.
    """

    def __init__(self, ranks: int, stall_s: float, patience: Patience, now_s: float) -> None:
        self._stall_s, self._patience = stall_s, patience
        self._last = [silent(rank) for rank in range(ranks)]
        self._stepped: set[int] = set()
        self._living = ranks
        self._longest_step_s = 0.0
        self._looked_s = now_s
        self.quiet_s = [0.0] * ranks

    def look(self, beats: Sequence[Beat], living: Collection[int], now_s: float) -> list[int]:
        """Take in the latest beats, one for each rank; returns the living ranks that have been silent for too long."""
        # Silence that nobody was awake to hear (a closed lid, a frozen container) does not count as a rank's.
        passed_s = min(now_s - self._looked_s, _LONGEST_LOOK_S)
        self._looked_s = now_s
        rank_left = len(living) < self._living
        self._living = len(living)
        for beat, last in zip(beats, tuple(self._last), strict=True):
            self._learn(last, beat)
            self._last[beat.rank] = beat
            self.quiet_s[beat.rank] = 0.0 if rank_left or beat != last else self.quiet_s[beat.rank] + passed_s
        return [rank for rank in sorted(living) if self.quiet_s[rank] > self._allowed_s(rank)]

    def _learn(self, last: Beat, beat: Beat) -> None:
        if beat.phase not in _STEPPING or beat.step == 0:
            return
        self._stepped.add(beat.rank)
        if beat.phase == last.phase and beat.step > last.step:
            step_s = (beat.monotonic_ns - last.monotonic_ns) / (beat.step - last.step) / 1e9
            self._longest_step_s = max(self._longest_step_s, step_s)

    def _allowed_s(self, rank: int) -> float:
        slow_s = _SLOW_STEPS * self._longest_step_s
        if self._living < len(self._last):
            return max(self._patience.finish_s, slow_s)
        allowed_s = max(self._stall_s, slow_s)
        stepping = self._last[rank].phase in _STEPPING and rank in self._stepped
        return allowed_s if stepping else max(allowed_s, self._patience.startup_s)
