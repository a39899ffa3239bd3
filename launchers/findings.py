"""What became of a launch, concluded from what was seen: who failed first, as what, and in whose log to look."""

import json
import os
import signal
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launchers.heartbeat import PHASES, Beat
from launchers.rank_pool import Death

STOPPED = ("T", "t")  # by a signal, or by a debugger

_LONGEST_QUOTE = 200
_LOG_LINES, _LOG_BYTES = 15, 16_384  # of a log's end: enough to see what happened

# Somebody else ended the process; any other signal is its own crash.
_SENT = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
# What a rank whose peer is gone ends with: an error of its own, or an abort by a library. Either leaves words.
_CAN_FOLLOW = {signal.SIGABRT, None}
_CAN_FOLLOW_STATUS = "crash"
_LAST_WORDS_NS = 1_000_000_000
# What Gloo, NCCL and the store call a peer that is gone.
_OF_A_PEER = ("gloo/transport", "onnection closed by peer", "onnection reset by peer", "roken pipe", "ncclRemoteError")
# Where a rank stands that waits for its peers: a collective, or the backward pass, which ends with DDP's all-reduce.
_WAITING = ("torch/distributed/", "torch/nn/parallel/distributed.py", "torch/autograd/graph.py")


@dataclass(frozen=True, kw_only=True)
class LaunchFinding:
    """The part of an LaunchEnd that is judged and not measured."""

    status: str
    reason: str | None = None
    rank: int | None = None  # who failed first
    rank_to_read: int | None = None  # whose log says more, where nobody is to blame
    level: tuple[int, ...] = ()  # of a hang: the ranks that have come equally far, one of which may hold the others up

    def log_tail(self, folder: Path) -> str:
        """The last lines of the log to show; empty when all is well."""
        rank = self.rank if self.rank is not None else self.rank_to_read
        return "" if rank is None else tail(log_file(folder, rank))


def log_file(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.log"


def result_file(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.json"


def rank_result(folder: Path, rank: int) -> dict[str, Any]:
    """What a rank said of its own ending; empty when it said nothing that can be read."""
    try:
        result = json.loads(result_file(folder, rank).read_bytes())
    except (OSError, ValueError):
        return {}
    return result if isinstance(result, dict) else {}


def has_failed(folder: Path, death: Death) -> bool:
    """Whether this death is anything but the end of a rank that has done its work."""
    return death.code != 0 or rank_result(folder, death.rank).get("status") != "ok"


def from_deaths(folder: Path, deaths: Sequence[Death], beats: Sequence[Beat]) -> LaunchFinding | None:
    """The first failure, of which the others are consequences; None when all ended well.

    What cannot follow from the end of a peer comes first: a kill, a fault in native code, memory that ran out, a host
    that is lost, an end without a word. Then an error that names no peer. On one host an error goes by when the rank
    said so or wrote its last words: when the deaths were seen would not do, because a busy machine shows us two at
    once and in any order. Clocks of different hosts cannot be compared, so between those it is who was heard first.
    """
    failures = [death for death in deaths if has_failed(folder, death)]
    one_host = len({death.node for death in failures}) == 1
    offset_ns = time.monotonic_ns() - time.time_ns()  # read once, so that files of the same instant stay equal

    def order(death: Death) -> tuple[bool, bool, int, int]:
        can_follow, at_ns = _order(folder, death, offset_ns)
        return can_follow, _blames_a_peer(folder, death.rank), at_ns if one_host else 0, death.seen_ns

    first = min(failures, key=order, default=None)
    return None if first is None else _finding(folder, first, beats[first.rank])


def _blames_a_peer(folder: Path, rank: int) -> bool:
    """Whether a rank's error is of the kind that the end of another brings about."""
    reason = str(rank_result(folder, rank).get("reason") or _last_words(folder, rank))
    return any(words in reason for words in _OF_A_PEER)


def _order(folder: Path, death: Death, offset_ns: int) -> tuple[bool, int]:
    """Whether a peer's end can have caused this one, and when it happened (monotonic)."""
    result = rank_result(folder, death.rank)
    if result.get("status", "ok") != "ok":
        at_ns = _written_ns(result_file(folder, death.rank), offset_ns)
        if result.get("monotonic_ns"):  # a rank speaks of its own host's clock: so long before that host saw it dead
            at_ns = death.seen_ns - ((death.seen_on_host_ns or death.seen_ns) - result["monotonic_ns"])
        return result["status"] == _CAN_FOLLOW_STATUS, min(at_ns, death.seen_ns)
    words_ns = _written_ns(log_file(folder, death.rank), offset_ns)
    has_last_words = 0 < death.seen_ns - words_ns < _LAST_WORDS_NS
    if death.code and _signal_of(death.code) in _CAN_FOLLOW and has_last_words:
        return True, words_ns
    return False, death.seen_ns


def _finding(folder: Path, death: Death, beat: Beat) -> LaunchFinding:
    rank, code = death.rank, death.code
    result = rank_result(folder, rank)
    if code is None:
        return LaunchFinding(status="lost", reason=f"{death.lost}; rank {rank} was {_where(beat)}", rank=rank)
    status = result.get("status", "ok")
    if status != "ok":
        return LaunchFinding(status=str(status), reason=result.get("reason"), rank=rank)
    number = _signal_of(code)
    if number == signal.SIGKILL and death.oom_killed:
        status, reason = "oom_kill", f"memory ran out and the kernel killed rank {rank} {_where(beat)}"
    elif number in _SENT:
        status, reason = "killed", f"rank {rank} was ended by {number.name} {_where(beat)}"
    elif number is not None:
        status, reason = "crash", f"rank {rank} crashed with {number.name} {_where(beat)}"
    elif code == 0:
        status, reason = "crash", f"rank {rank} ended without a result {_where(beat)}"
    else:
        status, reason = "crash", f"rank {rank} ended with code {code} {_where(beat)}{_last_words(folder, rank)}"
    return LaunchFinding(status=status, reason=reason, rank=rank)


def hang(beats: Sequence[Beat], quiet_s: Sequence[float], states: Mapping[int, str]) -> LaunchFinding:
    """Nobody moves. To blame is who cannot, else who alone is furthest behind; else it cannot be told from here.

    Args:
        beats: the last of every rank.
        quiet_s: for how long each has been silent, in seconds.
        states: of the ranks that are silent, what the kernel says of each.
    """
    for letters, words in ((STOPPED, "has been stopped"), ("D", "waits inside the kernel")):
        if unable := [beats[rank] for rank, state in states.items() if state in letters]:
            beat = furthest_behind(unable)[0]
            waiting = ", and the others wait for it" if len(beats) > 1 else ""
            return LaunchFinding(
                status="hang", reason=f"rank {beat.rank} {words} {_where(beat)}{waiting}", rank=beat.rank
            )
    last = furthest_behind([beats[rank] for rank in states])
    reason = f"nothing has moved for {min(quiet_s[rank] for rank in states):.0f} s"
    if len(last) == 1:
        where = f"rank {last[0].rank} is {'furthest behind, ' if len(states) > 1 else ''}{_where(last[0])}"
        return LaunchFinding(status="hang", reason=f"{reason}; {where}", rank=last[0].rank)
    where = f"ranks {', '.join(str(beat.rank) for beat in last)} are all {_where(last[0])}"
    level = tuple(beat.rank for beat in last)
    return LaunchFinding(status="hang", reason=f"{reason}; {where}", rank_to_read=last[0].rank, level=level)


def by_stacks(folder: Path, finding: LaunchFinding) -> LaunchFinding:
    """A hang with nobody behind, once the ranks have written where they are: who alone does not wait holds it up.

    Only where a rank's stack is the truth: where devices work on by themselves, it may wait for them anywhere.
    """
    frames = {rank: _innermost_frame(folder, rank) for rank in finding.level}
    busy = [rank for rank, frame in frames.items() if not any(place in frame for place in _WAITING)]
    if len(frames) < 2 or not all(frames.values()) or len(busy) != 1:
        return finding
    reason = f"{finding.reason}; only rank {busy[0]} does not wait for the others: {frames[busy[0]]}"
    return replace(finding, reason=reason, rank=busy[0])


def _innermost_frame(folder: Path, rank: int) -> str:
    """Where a rank's main thread was when it was last asked, as faulthandler says it; empty when it did not."""
    log = _end(log_file(folder, rank))
    _, asked, stack = log.rpartition("(most recent call first):\n")  # the main thread comes last
    first, *_ = stack.splitlines() or [""]
    return first.strip() if asked and first.lstrip().startswith("File ") else ""


def furthest_behind(beats: Sequence[Beat]) -> list[Beat]:
    """The beats of those that have come least far, by epoch, phase and step; all of them when none is behind."""

    def progress(beat: Beat) -> tuple[int, int, int]:
        return beat.epoch, PHASES.index(beat.phase), beat.step

    least = min(map(progress, beats))
    return [beat for beat in beats if progress(beat) == least]


def timeout(beats: Sequence[Beat], living: Collection[int], timeout_s: float) -> LaunchFinding:
    """Time is up. Being slow is nobody's fault, so no rank is named as failed."""
    last = furthest_behind([beats[rank] for rank in living])[0]
    reason = f"not finished after {timeout_s:g} s; rank {last.rank} is {_where(last)}"
    return LaunchFinding(status="timeout", reason=reason, rank_to_read=last.rank)


def tail(log: Path) -> str:
    """The last lines of a log, whatever its length; empty where there is nothing to read."""
    return "\n".join(_end(log).splitlines()[-_LOG_LINES:])


def _end(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LOG_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def _last_words(folder: Path, rank: int) -> str:
    lines = tail(log_file(folder, rank)).strip().splitlines()
    return f": {lines[-1][:_LONGEST_QUOTE]}" if lines else ""


def _signal_of(code: int) -> signal.Signals | None:
    """The signal behind an exit code; a rank's own SIGTERM thread, and shells, say 128 + its number."""
    number = code - 128 if code in {128 + each for each in _SENT} else -code
    try:
        return signal.Signals(number)
    except ValueError:
        return None


def _written_ns(file: Path, offset_ns: int) -> int:
    """When a file was last written to, on the monotonic clock and as coarse as the kernel's tick; 0 if it is empty."""
    try:
        written = file.stat()
    except FileNotFoundError:
        return 0
    return written.st_mtime_ns + offset_ns if written.st_size else 0


def _where(beat: Beat) -> str:
    if not beat.monotonic_ns:
        return "before it could say anything"
    place = {"warm-up": "in the warm-up", "window": "in the window", "done": "when done"}.get(beat.phase)
    place = place or f"while {beat.phase}"
    if beat.steps:
        return f"{place} at step {beat.step} of {beat.steps}"
    return f"{place} at step {beat.step}" if beat.step else place
