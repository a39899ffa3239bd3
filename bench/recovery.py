"""After a death: every attempt that nobody runs any more gets its one terminal status, and torn leavings go.

What writers that died in the middle of a call left behind is removed: never a launch's own files.
"""

import contextlib
import json
import secrets
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from bench.documents import noun_of
from bench.errors import CannotError
from bench.outcome import rows as outcome
from bench.outcome.measured import read_ranks
from bench.plan import Plan, PlannedLaunch
from bench.store import attempts, fsops, index, packs, schema
from bench.store.attempts import Attempt
from bench.store.commit import AlreadyCommittedError, ClaimedError, Store
from bench.store.index import survey
from bench.store.layout import Layout, StorePath, UnreadableError, existing, named
from bench.store.schema import LaunchRows

OUTCOME = "outcome.json"
# What reading the files of ranks may raise when they are not whole.
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile)
OUTCOME_SCHEMA = "bench.outcome/1"
_RESERVED_BYTES = 128 * 1024  # the row, its reason and the machine's fingerprint take a tenth of it
_STAGING_S = 3600  # no writer is at one file for as long
_CLAIM_S = 60  # between claiming a name and filling it, where there are no hard links, lies one call; a pack has few


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """What was found open, and what became of it."""

    finished: Sequence[schema.Launch] = ()  # they had ended, and are in the store now
    lost: Sequence[schema.Launch] = ()  # nobody runs them, and nobody knows how they ended
    running: Sequence[Attempt] = ()  # of living processes: left alone
    unknown: Sequence[Attempt] = ()  # whether their processes live cannot be told here: left alone without `force`
    unclosed: Sequence[str] = ()  # why an attempt could not be closed
    removed: Sequence[str] = ()  # leavings of dead writers, from the store's root


@dataclass(frozen=True, kw_only=True)
class SavedRow:
    """What a launch's folder keeps of it while the store does not hold it yet."""

    launch: schema.Launch
    dna: schema.Dna | None
    schema: str = field(default=OUTCOME_SCHEMA)


def reserve(folder: Path) -> None:
    """Take the room for a launch's outcome before it starts, so that it can be written on a disk that is full by then.

    On file systems that write every change to a new place (btrfs, ZFS) this helps less.

    Raises:
        CannotError: there is no such room.
    """
    try:
        fsops.reserve(folder / OUTCOME, _RESERVED_BYTES)
    except OSError as error:
        raise CannotError(
            f"no launch can be begun in {folder}: {fsops.why(error, folder)}",
            hint="launches saved before it are kept; --resume goes on with the study",
        ) from error


def keep(folder: Path, rows: LaunchRows) -> None:
    """Write the row that is about to be committed where `recover` finds it, should the commit not come to its end.

    The rows of the other tables are made again from what the ranks left there.

    Raises:
        CannotError: the disk does not take even that.
    """
    launch, saved = rows.launch, SavedRow(launch=rows.launch, dna=rows.dna)
    try:
        fsops.overwrite(folder / OUTCOME, json.dumps(asdict(saved)).encode())
    except OSError as error:
        raise CannotError(
            f"how launch {launch.launch_id} ended cannot be saved in {folder}: {fsops.why(error, folder)}",
            hint="launches saved before it are kept; --resume goes on with the study",
        ) from error


def recover(
    store_path: StorePath,
    study_id: str | None = None,
    *,
    force: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Recovery:
    """Close every attempt of a store that nobody runs any more, and remove what dead writers left.

    Can be repeated: a second call finds nothing to do.

    Args:
        store_path: the store's folder.
        study_id: of one study (a whole id); None: of all.
        force: close also those begun where their processes cannot be looked for. Only when nothing runs there.
        tell: takes a line when there is somebody to listen for.

    Raises:
        NoStoreError: no store at this path.
        CannotError: the store cannot be written.
    """
    store = Store.open(store_path, create=False)
    studies = index.studies(store.path) if study_id is None else [study_id]
    closed: list[Recovery] = []
    try:
        removed = _sweep_staging(store.path)
        for each in studies:
            try:
                removed += _sweep_claims(store.path, each, force=force)
                closed.append(close_stale(store, each, force=force, tell=tell))
                removed += _sweep_packs(store.path, each)  # closing made them stale
            except UnreadableError as error:  # costs nobody else
                closed.append(Recovery(unclosed=(error.message,)))
    except OSError as error:
        raise CannotError(
            f"the store {store.path} cannot be written: {fsops.why(error, store.path)}", hint="make room, and repeat"
        ) from error
    if study_id is None:
        closed.append(Recovery(unclosed=[str(each) for each in survey(store.path).odd if each.hides]))
    return replace(_merged(closed), removed=tuple(sorted(removed)))


def close_stale(
    store: Store, study_id: str, *, force: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Recovery:
    """Close the attempts of one study that nobody runs any more; those this process itself began count among them.

    One that had ended is committed from what its folder keeps. Any other gets a row of its own that says `lost`. Owners
    that cannot be looked for are listened for: see bench/store/attempts.py.

    Args:
        store: to write into.
        study_id: a whole id.
        force: an owner that cannot be looked for counts as dead.
        tell: takes a line when there is somebody to listen for.

    Raises:
        UnreadableError: the study cannot be looked into.
        CannotError: the disk does not take a row.
    """
    finished: list[schema.Launch] = []
    lost: list[schema.Launch] = []
    unclosed: list[str] = []
    found = attempts.owners(store.path, attempts.open_attempts(store.path, study_id), force=force, tell=tell)
    for attempt in found.gone:
        try:
            launch = _close(store, attempt)
        except (_UnclosableError, ClaimedError) as error:
            unclosed.append(str(error))
        except AlreadyCommittedError:
            continue  # somebody else was faster; an attempt is closed once
        else:
            (lost if launch.status == "lost" else finished).append(launch)
    finished += _came_late(store, study_id, force=force, tell=tell)
    return Recovery(finished=finished, lost=lost, running=found.running, unknown=found.unknown, unclosed=unclosed)


def _came_late(store: Store, study_id: str, *, force: bool, tell: Callable[[str], None]) -> Iterator[schema.Launch]:
    """Save what attempts that were given up as lost have finished after all, if their owners died before they could."""
    layout, settled = existing(store.path), index.settled(store.path, study_id, [])
    without = {launch_id for launch_id, marker in settled.items() if marker.status in index.UNSETTLED}
    lost = {
        (each.launch_id, each.attempt)
        for each in index.every_marker(store.path, study_id, [])
        if each.status == "lost" and each.launch_id in without
    }
    ended = {
        each: saved
        for each in (attempts.attempts(store.path, study_id) if lost else ())
        if (each.launch_id, each.attempt) in lost
        and (saved := _saved(layout.folder(study_id, each.launch_id, each.attempt), each)) is not None
    }
    for attempt in attempts.owners(store.path, list(ended), force=force, tell=tell).gone:
        plan, planned = _planned(store, attempt)
        with contextlib.suppress(*_UNREADABLE):  # then it stays lost
            row, _ = store.commit_late(plan, _whole(store, planned, ended[attempt]))
            if row.attempt != attempt.attempt:
                yield row


class _UnclosableError(Exception):
    """Why an attempt cannot be given a row."""


def _close(store: Store, attempt: Attempt) -> schema.Launch:
    """Give an attempt its terminal status; returns the row."""
    plan, planned = _planned(store, attempt)
    folder = existing(store.path).folder(attempt.study_id, attempt.launch_id, attempt.attempt)
    saved = _saved(folder, attempt)
    if saved is None:
        reason = "how it ended is not known: the process that ran it died, or its machine did"
    else:
        try:
            store.commit(_whole(store, planned, saved))
        except _UNREADABLE as error:
            reason = f"it ended, but what its ranks left cannot be read ({type(error).__name__})"
        else:
            return saved.launch
    since = f"started {attempt.started_at}; " if attempt.started_at else ""
    rows = outcome.lost(plan, planned, attempt.attempt, attempt.started_at, f"{since}{reason}")
    store.commit(rows)
    return rows.launch


def _planned(store: Store, attempt: Attempt) -> tuple[Plan, PlannedLaunch]:
    try:
        plan = index.plan(store.path, attempt.study_id)
    except CannotError as error:
        raise _UnclosableError(f"{attempt}: {error.message}") from error
    planned = next((each for each in plan.launches if each.launch_id == attempt.launch_id), None)
    if planned is None:
        raise _UnclosableError(f"{attempt} is not in its study's plan")
    return plan, planned


def _whole(store: Store, planned: PlannedLaunch, saved: SavedRow) -> LaunchRows:
    """All rows of a launch: the one that was kept, and those that its ranks left.

    Raises:
        OSError: or another of `_UNREADABLE`: that is not whole.
    """
    launch = saved.launch
    folder = existing(store.path).folder(launch.study_id, launch.launch_id, launch.attempt)
    rows = outcome.beside(launch, read_ranks(folder, planned.configuration.processes), saved.dna)
    if launch.status == schema.OK and rows.steps is None:
        raise FileNotFoundError(folder)
    return rows


def _saved(folder: Path, attempt: Attempt) -> SavedRow | None:
    """The row that a launch's folder keeps; None when there is none, or not a whole one of this attempt."""
    try:
        # A crash may leave the zeros that were reserved, behind what was written or in the midst of it.
        saved = noun_of(SavedRow, json.loads((folder / OUTCOME).read_bytes().rstrip(b"\0")))
    except (OSError, ValueError, TypeError):
        return None
    row, own = saved.launch, (attempt.study_id, attempt.launch_id, attempt.attempt)
    return saved if (row.study_id, row.launch_id, row.attempt) == own else None


def _merged(parts: Sequence[Recovery]) -> Recovery:
    return Recovery(
        **{item.name: [each for part in parts for each in getattr(part, item.name)] for item in fields(Recovery)}
    )


def _sweep_staging(root: Path) -> list[str]:
    """Remove old files of staging; returns their paths from the root.

    Ages are told by the clock of the store's own file system: another machine may have written them.
    """
    layout = Layout(root)
    now_s = _file_system_time(layout.staging)
    return _removed(root, [file for file in layout.staging.iterdir() if _age_s(file, now_s) > _STAGING_S])


def _sweep_claims(root: Path, study_id: str, *, force: bool) -> list[str]:
    """Remove names that were claimed for a study's files and never filled; returns their paths from the root."""
    layout = Layout(root)
    now_s = _file_system_time(layout.staging)
    gone = {
        (each.launch_id, each.attempt)
        for each in attempts.attempts(root, study_id)
        if each.owner.is_this_process or (alive := each.owner.alive()) is False or (alive is None and force)
    }
    begun = [file for file in attempts.files(layout.attempts(study_id), study_id) if _is_claim(file, now_s)]
    ended = [file for file in attempts.files(layout.markers(study_id), study_id) if _is_claim(file, now_s)]
    return _removed(root, [*begun, *(file for file in ended if named(file.stem) in gone)])


def _sweep_packs(root: Path, study_id: str) -> list[str]:
    """Remove what nobody reads of a study's packs, once no writer can be at it; returns paths from the root."""
    layout = Layout(root)
    if not layout.packs(study_id).is_dir():
        return []
    found = packs.leftovers(layout, study_id, index.markers(root, study_id, []))
    now_s = _file_system_time(layout.staging) if found else 0.0
    return _removed(root, [file for file in found if _age_s(file, now_s) > _CLAIM_S])


def _removed(root: Path, old: Sequence[Path]) -> list[str]:
    for file in old:
        fsops.remove(file)
    return sorted(file.relative_to(root).as_posix() for file in old)


def _is_claim(file: Path, now_s: float) -> bool:
    return file.is_file() and file.stat().st_size == 0 and _age_s(file, now_s) > _CLAIM_S


def _age_s(file: Path, now_s: float) -> float:
    try:
        return now_s - file.stat().st_mtime
    except FileNotFoundError:  # its writer has just removed it
        return 0.0


def _file_system_time(staging: Path) -> float:
    probe = staging / f"clock.{secrets.token_hex(8)}"
    fsops.make_folder(staging)
    try:
        fsops.write_new(probe, b"what time is it here?\n")
        return probe.stat().st_mtime
    finally:
        fsops.remove(probe)
