"""What a running study says on stderr: one live line on a terminal, else a line an event, or nothing.

The benchmark shares its cores with this, so nothing is drawn more than twice a second and no thread is started.
"""

import os
import time
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType

from bench.plan import Plan, PlannedLaunch
from bench.store.schema import OK, Launch
from launchers.heartbeat import Beat
from reports.running.pace import Clock, Pace
from reports.text import fmt, names
from reports.text.console import console_for, shown, wants_color

# A rank's phases in their order, as the heartbeat names them.
PHASES = (
    *("starting", "joining", "preparing", "building"),
    *("warm-up", "window", "evaluating", "saving", "finishing", "done"),
)

DRAW_EVERY_S = 0.5
SPEAK_EVERY_S = 60.0  # where there is no live line
_QUOTED = 8  # lines of a failed rank's log
_BAR = 20  # characters, where there is room
_ERASE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


class Silent:
    """Told of everything that happens while a plan runs, and says nothing; what does say something is a kind of it."""

    def started(self, plan: Plan) -> None: ...

    def launch_started(self, planned: PlannedLaunch, index: int, total: int) -> None:
        """A launch begins; `index` counts from 0 over the whole plan, launches of an earlier run included."""

    def beats(self, beats: Sequence[Beat], /) -> None:
        """The ranks' signs of life, as often as the launcher looks."""

    def launch_ended(self, launch: Launch, log_tail: str = "") -> None: ...

    def finished(self) -> None:
        """The plan is done, or given up; may be called twice."""


def for_stream(stream: TextIO, *, plain: bool, json: bool, clock: Clock = time.monotonic) -> Silent:
    """Silent with `json`; a live line on a terminal that can redraw one; plain lines otherwise."""
    if json:
        return Silent()
    if plain or not stream.isatty() or not wants_color() or os.environ.get("CI"):
        return Plain(console_for(stream, color=False), clock)
    return Live(console_for(stream), clock)


class _Shown(Silent):
    """What both ways of telling share: where the study is, and the words for it."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._pace = Pace(clock)
        self._plan: Plan | None = None
        self._where = ""
        self._began = self._spoke = clock()

    def started(self, plan: Plan) -> None:
        self._plan = plan
        self._pace.started(plan)
        self._began = self._clock()
        self._say(f"Study {plan.study_id}: {fmt.count(len(plan.launches), 'launch')}")

    def launch_started(self, planned: PlannedLaunch, index: int, total: int) -> None:
        if self._plan is None:
            raise RuntimeError("a launch before the plan")
        self._pace.launch_started(planned, index, self._plan)
        label = names.label(planned, self._plan.launches)
        self._where = f"[{index + 1}/{total}] {label} · round {planned.round + 1}"

    def _heard(self, beats: Sequence[Beat]) -> Beat | None:
        """The rank that everybody waits for, whose pace is the launch's."""
        slowest = _slowest(beats)
        self._pace.heard(slowest)
        return slowest

    def finished(self) -> None:
        if self._plan is not None:
            self._say(f"Done in {fmt.duration(self._clock() - self._began)}")
        self._plan = None

    def _left(self) -> str:
        seconds, why = self._pace.left_s(), self._pace.why_long
        if seconds < 1:
            return "nearly done"
        return f"about {fmt.duration(seconds)} left" + (f": {why}" if why else "")

    def _outcome(self, launch: Launch) -> str:
        if launch.status == OK:
            return f"{self._where}: {fmt.number(launch.throughput_sps)} samples/s"
        reason = fmt.clean(launch.reason or "")
        who = f"rank {launch.failed_rank}" if launch.failed_rank is not None else ""
        text = ": ".join(filter(None, (launch.status, who if who not in reason else "", reason)))
        return f"{self._where}: {text}"

    def _quote(self, log_tail: str) -> None:
        """The last lines of the guilty rank, which say more than any summary of them."""
        lines = [line for line in map(fmt.clean, log_tail.splitlines()) if line.strip("^~ ")]  # Python's markers
        for line in lines[-_QUOTED:]:
            self._say(f"    | {line}")

    def _say(self, line: str) -> None:
        self._console.print(shown(line, self._console), soft_wrap=True)
        self._spoke = self._clock()


class Plain(_Shown):
    """A line when a launch ends, and one a minute while it doesn't: a log that still shows life."""

    def beats(self, beats: Sequence[Beat], /) -> None:
        beat = self._heard(beats)
        if self._clock() - self._spoke >= SPEAK_EVERY_S:
            self._say(f"{self._where} · {_phase(beat)} · {self._left()}")

    def launch_ended(self, launch: Launch, log_tail: str = "") -> None:
        self._pace.launch_ended(launch.others_share)
        self._say(f"{self._outcome(launch)} ({self._left()})")
        self._quote(log_tail)


class Live(_Shown):
    """One line that is redrawn; a launch that fails leaves a line behind."""

    def __init__(self, console: Console, clock: Clock) -> None:
        super().__init__(console, clock)
        self._drew = float("-inf")

    def beats(self, beats: Sequence[Beat], /) -> None:
        beat = self._heard(beats)
        if self._clock() - self._drew < DRAW_EVERY_S:
            return
        self._drew = self._clock()
        # One column stays free: a full line would wrap, and what has wrapped is not erased.
        text = shown(_fitted(self._where, beat, self._left(), self._console.width - 1), self._console)
        text.highlight_regex("[━╸]+", "cyan")
        text.truncate(self._console.width - 1, overflow="ellipsis")
        self._console.control(_ERASE)
        self._console.print(text, end="", soft_wrap=True)

    def launch_ended(self, launch: Launch, log_tail: str = "") -> None:
        self._pace.launch_ended(launch.others_share)
        if launch.status != OK:
            self._say(self._outcome(launch))
            self._quote(log_tail)

    def _say(self, line: str) -> None:
        self._console.control(_ERASE)
        super()._say(line)
        self._drew = float("-inf")


def _slowest(beats: Sequence[Beat]) -> Beat | None:
    """The rank that everybody waits for: the one furthest back."""
    places = {phase: place for place, phase in enumerate(PHASES)}
    return min(beats, key=lambda beat: (beat.epoch, places.get(beat.phase, 0), beat.step), default=None)


def _phase(beat: Beat | None) -> str:
    if beat is None:
        return "starting"
    phase = f"epoch {beat.epoch} · {beat.phase}" if beat.epoch else beat.phase
    if not beat.step and not beat.steps:
        return phase
    return f"{phase} {beat.step}/{beat.steps}" if beat.steps else f"{phase} step {beat.step}"


def _fitted(where: str, beat: Beat | None, left: str, width: int) -> str:
    """One line of this width, that ends with the time left whatever else has to give way."""
    after, phase = f" · {left}", f" · {_phase(beat)}"
    room = width - len(where) - len(phase) - len(after)
    if room >= 0:
        return f"{where}{phase}{_bar(beat, room - 1)}{after}"
    number, _, _ = where.partition(" ")
    for text in (f"{where}{after}", f"{number}{phase}{after}", f"{number}{after}"):
        if len(text) <= width:
            return text
    return left


def _bar(beat: Beat | None, room: int) -> str:
    """A bar that reads without colour, heavy for what is done and light for the rest; empty when there is no room."""
    width = min(_BAR, room)
    if beat is None or not beat.steps or width < _BAR // 4:
        return ""
    done, half = divmod(round(2 * width * min(1.0, beat.step / beat.steps)), 2)
    return f" {'━' * done}{'╸' * half}{'─' * (width - done - half)}"
