"""Attempts: who runs a launch, written before anything of it starts, so that a death leaves a trace.

An attempt is open until it has a marker. Its marker is created exclusively, so closing an attempt of a dead owner as
`lost` is the fence: an owner that was only slow finds the name taken, and its rows stay files that nobody reads.

Where no process can be looked for, on another host or in another container, whoever runs a study changes a small file
in its store every few seconds. Who wants to know watches that file for longer than the lease, by a clock of their own:
only the living change it, and no two clocks are ever compared. An owner that was only slow is found out too late, and
loses nothing by it: see `Store.commit_late`.
"""

import contextlib
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.documents import noun_of
from bench.errors import CannotError
from bench.store import fsops, index
from bench.store.layout import Layout, StorePath, UnreadableError, entries, existing, named
from bench.store.owner import Owner

if TYPE_CHECKING:
    from bench.store.commit import Store  # it brings pyarrow, and `bench ls` reads attempts

ATTEMPT_SCHEMA = "bench.attempt/1"
LEASE_S = 60.0  # network mounts keep what they saw for up to a minute
_BEATS = 12  # within a lease
_LOOK_EVERY_S = 0.5
_NOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.a\d+\.json")  # a copy of one has another name, and is none


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try of a launch: started, and ended once it has a marker."""

    study_id: str
    launch_id: str
    attempt: int
    owner: Owner
    started_at: str  # UTC, ISO 8601; empty when its file cannot be read
    lease_s: float = 0.0  # its owner gives a sign of life at least as often; 0 where it gives none

    def to_bytes(self) -> bytes:
        return (json.dumps({"schema": ATTEMPT_SCHEMA, **asdict(self)}, indent=1) + "\n").encode()

    @staticmethod
    def from_bytes(data: bytes) -> "Attempt":
        return noun_of(Attempt, {name: value for name, value in json.loads(data).items() if name != "schema"})

    def __str__(self) -> str:
        again = f" (attempt {self.attempt})" if self.attempt else ""
        return f"launch {self.launch_id}{again}"


class SettledError(CannotError):
    """The launch has a result."""


class StaleAttemptError(CannotError):
    """An earlier attempt is open and nobody runs it: `bench.recovery.close_stale` closes it."""


def begin(
    store: "Store",
    study_id: str,
    launch_id: str,
    *,
    force: bool = False,
    again: Collection[str] = index.UNSETTLED,
    lease_s: float = 0.0,
) -> Attempt:
    """Write that this process begins a launch; on disk on return. Nothing of it may start before.

    Args:
        store: to write into.
        study_id: a whole id.
        launch_id: of a launch without a result.
        force: an owner that cannot be looked for, on another machine, counts as dead.
        again: statuses that are no result, so that the launch may be begun once more (`index.run_again`).
        lease_s: how often this process gives a sign of life (`held`).

    Raises:
        StaleAttemptError: an earlier attempt is open, and its owner is dead.
        SettledError: it has a result already.
        CannotError: somebody runs the launch, or may; or the disk does not take the note.
    """
    layout = existing(store.path)
    # In this order: whoever begins the launch after we count takes our number; whoever did before is seen to run it or,
    # since an attempt that is not open has a marker, to have settled it.
    number = max(_seen(layout, study_id)[launch_id], default=-1) + 1
    for earlier in open_attempts(store.path, study_id):
        if earlier.launch_id == launch_id:
            _refuse(earlier, force=force)
    latest = index.settled(store.path, study_id, []).get(launch_id)
    if latest is not None and latest.status not in again:
        raise SettledError(f"launch {launch_id} has a result already ({latest.status})", hint="it is not run again")
    attempt = _written(store, study_id, launch_id, number, lease_s)
    if attempt is None:
        raise CannotError(f"launch {launch_id} has just been begun by another process", hint="wait for it")
    return attempt


def begin_late(store: "Store", study_id: str, launch_id: str) -> Attempt | None:
    """Write down an attempt for a result that is here already; None when somebody else took its number.

    Raises:
        CannotError: the disk does not take the note.
    """
    number = max(_seen(existing(store.path), study_id)[launch_id], default=-1) + 1
    return _written(store, study_id, launch_id, number, 0.0)


def _written(store: "Store", study_id: str, launch_id: str, number: int, lease_s: float) -> Attempt | None:
    attempt = Attempt(
        study_id=study_id,
        launch_id=launch_id,
        attempt=number,
        owner=Owner.of_this_process(),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        lease_s=lease_s,
    )
    try:
        is_new = store.publish(attempt.to_bytes(), Layout(store.path).attempt(study_id, launch_id, number))
    except OSError as error:
        raise CannotError(
            f"launch {launch_id} cannot be begun in {store.path}: {fsops.why(error, store.path)}",
            hint="launches saved before it are kept; --resume goes on with the study",
        ) from error
    return attempt if is_new else None


def attempts(store: StorePath, study_id: str) -> list[Attempt]:
    """Every attempt of a study that was begun, in order of launches and attempts.

    One whose file cannot be read has an owner that cannot be looked for, so that nobody takes it for dead.

    Raises:
        UnreadableError: nobody can see which attempts there are.
    """
    found = files(existing(store).attempts(study_id), study_id)
    return [_read(file, study_id) for file in sorted(found, key=_place) if _NOTE.fullmatch(file.name)]


def open_attempts(store: StorePath, study_id: str) -> list[Attempt]:
    """The attempts that were begun and have no marker: running, or left by a process that died.

    Raises:
        UnreadableError: nobody can see which attempts there are, or which have ended.
    """
    layout = existing(store)
    return [each for each in attempts(store, study_id) if not has_marker(layout, each)]


def has_marker(layout: Layout, attempt: Attempt) -> bool:
    """An empty one is none: it claims the name where there are no hard links (see `fsops.publish`)."""
    file = layout.marker(attempt.study_id, attempt.launch_id, attempt.attempt)
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unseen(attempt.study_id, file, error) from error


def files(folder: Path, study_id: str) -> list[Path]:
    """The documents in a folder of a study.

    Raises:
        UnreadableError: the folder is there and cannot be looked into.
    """
    try:
        return entries(folder, ".json")
    except OSError as error:
        raise _unseen(study_id, folder, error) from error


def _refuse(earlier: Attempt, *, force: bool) -> None:
    owner = earlier.owner
    alive = False if owner.is_this_process else owner.alive()  # ours ended before we begin it again
    if alive:
        raise CannotError(
            f"{earlier} is being run by {owner}, since {earlier.started_at}",
            hint="wait for it, or end that process and repeat with --resume",
        )
    if alive is None and not force:
        when = (
            f"was begun on another machine at {earlier.started_at}" if earlier.started_at else "was begun by somebody"
        )
        raise CannotError(
            f"{earlier} {when}, and may still run there",
            hint=f"bench recover {earlier.study_id} listens for it; if nothing runs there any more: --force",
        )
    raise StaleAttemptError(f"{earlier} was never ended", hint=f"bench recover {earlier.study_id} closes it")


def _seen(layout: Layout, study_id: str) -> defaultdict[str, list[int]]:
    """The attempts of each launch that have left a note or a marker, whole or torn."""
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for file in files(layout.attempts(study_id), study_id):
        launch_id, number = _place(file)
        seen[launch_id].append(number)
    for file in files(layout.markers(study_id), study_id):
        launch_id, number = named(file.stem)
        seen[launch_id].append(number)
    return seen


def _unseen(study_id: str, path: Path, error: OSError) -> UnreadableError:
    return UnreadableError(
        f"study {study_id}: {path} cannot be read: {error.strerror or error}",
        hint="look at whose it is; until it can be read, nobody knows which launches have ended",
    )


def _place(file: Path) -> tuple[str, int]:
    launch_id, _, number = file.stem.rpartition(".a")
    return launch_id, int(number) if number.isdecimal() else 0


def _read(file: Path, study_id: str) -> Attempt:
    launch_id, number = _place(file)
    try:
        attempt = Attempt.from_bytes(file.read_bytes())
        if (attempt.study_id, attempt.launch_id, attempt.attempt) == (study_id, launch_id, number):
            return attempt
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return Attempt(study_id=study_id, launch_id=launch_id, attempt=number, owner=Owner.unknown(), started_at="")


@contextlib.contextmanager
def held(root: Path, study_id: str, token: str, lease_s: float) -> Iterator[None]:
    """Say that this process lives, for as long as the block lasts; a disk that takes no sign costs the sign alone."""
    file, ended = Layout(root).beat(study_id, token), threading.Event()

    def beat() -> None:
        number = 0
        while True:
            with contextlib.suppress(OSError):
                fsops.beat(file, number)
            number += 1
            if ended.wait(lease_s / _BEATS):
                return

    # A thread of its own: a mount that hangs must not keep the supervisor from its ranks.
    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=1.0)
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class Owners:
    """Attempts by what is known of whoever runs them."""

    running: Sequence[Attempt]
    unknown: Sequence[Attempt]  # they cannot be looked for, and promised no sign of life
    gone: Sequence[Attempt]


def owners(
    root: Path,
    attempts: Sequence[Attempt],
    *,
    own_ended: bool = True,
    force: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Owners:
    """Look for the owners of attempts, and listen for those that cannot be looked for.

    Args:
        root: the store's folder.
        attempts: of one study.
        own_ended: what this process itself began counts as gone.
        force: an owner that cannot be looked for counts as gone.
        tell: takes a line when there is somebody to listen for.
    """
    alive = {each: False if own_ended and each.owner.is_this_process else each.owner.alive() for each in attempts}
    unseen = {each for each in attempts if alive[each] is None}
    promised = {each for each in unseen if each.lease_s > 0 and not force}
    if promised:
        most_s, one = max(each.lease_s for each in promised), min(map(str, promised))
        tell(f"Listening for up to {most_s:.0f} s whether {one} still runs on another host or in another container …")
    gone = unseen if force else silent(root, promised)
    return Owners(
        running=[each for each in attempts if alive[each] or each in promised - gone],
        unknown=[each for each in attempts if each in unseen - promised - gone],
        gone=[each for each in attempts if alive[each] is False or each in gone],
    )


def silent(
    root: Path,
    attempts: Collection[Attempt],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> set[Attempt]:
    """Those of some attempts whose owners gave no sign of life for as long as they had promised one.

    Takes the longest of their leases, or less where all of them are heard sooner. An attempt without a lease, of an
    earlier bench, is never silent: nothing is known of it.
    """
    layout = Layout(root)
    waiting = {each: _sign(layout, each) for each in attempts if each.lease_s > 0}
    watched_s, before, gone = 0.0, clock(), set[Attempt]()
    while waiting:
        sleep(min(_LOOK_EVERY_S, min(each.lease_s for each in waiting) / _BEATS))
        now = clock()
        watched_s += min(now - before, 2 * _LOOK_EVERY_S)  # of a watcher that was stopped, or whose mount hung
        before = now
        for each, first in list(waiting.items()):
            if _sign(layout, each) != first:
                del waiting[each]
            elif watched_s >= each.lease_s:
                gone.add(each)
                del waiting[each]
    return gone


def _sign(layout: Layout, attempt: Attempt) -> object:
    """Whatever a sign of life changes; opened anew each time, so that a network mount looks again."""
    try:
        with layout.beat(attempt.study_id, attempt.owner.token).open("rb") as file:
            return file.read(64)
    except OSError:
        return None


def resumed_checkpoints(layout: Layout, study_id: str, launch_id: str, attempt: int) -> Path:
    """The folder of this attempt's checkpoints, with what the attempts before it have left.

    It is the last one's folder under a new name: one step, after which a rank of an earlier attempt that is still at
    work somewhere finds no folder to write into.

    Raises:
        OSError: the disk does not take it.
    """
    own = layout.checkpoints(study_id, launch_id, attempt)
    for earlier in range(attempt - 1, -1, -1):
        left = layout.checkpoints(study_id, launch_id, earlier)
        if left.is_dir():
            fsops.move_folder(left, own)
            return own
    fsops.make_folder(own)
    return own


def checkpoints_of(layout: Layout, study_id: str, launch_id: str, attempt: int) -> list[Path]:
    """The checkpoints of an attempt, and the names that point to them, in the order of their names."""
    return sorted(layout.checkpoints(study_id, launch_id, attempt).glob("[!.]*.pt"))
