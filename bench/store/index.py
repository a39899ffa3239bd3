"""What a store holds, told from its plans and markers alone. Standard library only, so that `bench ls` is quick.

A study is there when anything of it is: what cannot be read is told, and is not taken for absent. What file managers
and synchronisers leave beside one (`ID (copy)`, `ID.bak`) is no study, however much it looks like one.
"""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bench.documents import noun_of
from bench.errors import CannotError, UsageError
from bench.plan import Plan, PlannedLaunch, from_json
from bench.store.layout import Layout, StorePath, UnreadableError, entries, existing, is_id, named

UNSETTLED = ("cancelled", "lost")  # says nothing of the launch: --resume runs it again
# Of a launch that keeps checkpoints, every failure: it is there to be trained to its end, and can be resumed.
UNSETTLED_KEPT = (*UNSETTLED, "oom_device", "oom_kill", "crash", "killed", "hang", "timeout")
MARKER_SCHEMA = "bench.marker/1"
# Clocks of hosts that share a store differ; what is dated later than by this much is dated wrongly.
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of a committed launch."""

    table: str
    path: str  # from the store's root, with forward slashes
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Marker:
    """What makes one attempt of a launch exist: its files, and how it ended."""

    study_id: str
    launch_id: str
    status: str
    files: tuple[DataFile, ...]
    attempt: int = 0
    schema: str = MARKER_SCHEMA

    def to_bytes(self) -> bytes:
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @staticmethod
    def from_bytes(data: bytes) -> "Marker":
        return noun_of(Marker, json.loads(data))


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A file that is not what its launch's marker says; its rows are left out, and nobody else's."""

    study_id: str
    launch_id: str
    path: str
    reason: str
    is_unread: bool = False  # it may be whole: it could not be looked at

    def __str__(self) -> str:
        if not self.launch_id:
            return f"study {self.study_id}: {self.path} {self.reason}"
        return f"launch {self.launch_id}: {self.path} {self.reason}; its rows are left out"


class StoreWarning(UserWarning):
    """Something in a store is not as it should be, and was passed over."""


class DamageWarning(StoreWarning):
    """A damaged file was left out."""


def note(damage: Damage, damaged: list[Damage] | None) -> None:
    """Tell of a damaged file: into the caller's list, or as a Python warning when there is none."""
    if damaged is None:
        warnings.warn(DamageWarning(str(damage)), stacklevel=3)
    else:
        damaged.append(damage)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One study."""

    study_id: str
    created_at: datetime | None  # as its plan says, else as its id does
    unreadable: str | None = None  # why its plan cannot be read
    is_ahead: bool = False  # dated after now, so nothing is known of its place among the others

    def __str__(self) -> str:
        if self.unreadable:
            return f"study {self.study_id}: {self.unreadable}"
        dated = f"{self.created_at:%Y-%m-%d %H:%M} UTC" if self.created_at else "not"
        return f"study {self.study_id} is dated {dated}, after this machine's clock: it counts as the oldest"


@dataclass(frozen=True, kw_only=True)
class Oddity:
    """Something that lies where studies do and is none."""

    path: str  # from the store's root
    reason: str
    hides: bool  # there may be results in it

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All that lies in a store."""

    studies: tuple[Seen, ...]  # newest first
    odd: tuple[Oddity, ...]

    def notes(self) -> list[str]:
        """What a reader of the whole store should know, a sentence each."""
        return [*(str(each) for each in self.studies if each.unreadable or each.is_ahead), *map(str, self.odd)]


def survey(store: StorePath) -> Survey:
    """Look at all that lies in a store.

    Raises:
        NoStoreError: no store at this path.
        CannotError: a newer bench wrote it.
    """
    layout = existing(store)
    odd: list[Oddity] = []
    planned = set(_names(layout, layout.studies, odd))
    with_rows = {name for folder in ("commits", "launches") for name in _names(layout, layout.root / folder, odd)}
    now, found = datetime.now(UTC), []
    for name in sorted(planned | with_rows):
        each = _seen(layout, name, now, has_rows=name in with_rows)
        if isinstance(each, Seen):
            found.append(each)
        elif each is not None:
            odd.append(each)
    # What is dated ahead of this clock has no place among the others; where all are, it is this clock that is wrong.
    found.sort(key=lambda each: (not each.is_ahead, each.created_at or datetime.min.replace(tzinfo=UTC), each.study_id))
    return Survey(studies=tuple(reversed(found)), odd=tuple(odd))


@dataclass(frozen=True)
class NoPlan:
    """Why the plan of a study cannot be read."""

    reason: str
    is_damaged: bool  # else it may be whole: it could not be looked at


def plan_document(layout: Layout, study_id: str) -> dict[str, Any] | NoPlan:
    """The plan of a study as it was written, as plain JSON types."""
    file = layout.plan(study_id)
    where = _relative(layout, file)
    try:
        if not file.is_file():  # nor a pipe, from which reading would wait
            return NoPlan(f"its plan is missing ({where})", is_damaged=True)
        found = json.loads(file.read_bytes())
    except OSError as error:
        return NoPlan(f"its plan cannot be read: {error.strerror or error} ({where})", is_damaged=False)
    except (ValueError, RecursionError) as error:
        return NoPlan(f"its plan is torn, or no JSON ({where}: {error})", is_damaged=True)
    if not isinstance(found, dict) or not isinstance(found.get("study_id"), str):
        return NoPlan(f"its plan is none ({where})", is_damaged=True)
    return found


def _names(layout: Layout, folder: Path, odd: list[Oddity]) -> Iterator[str]:
    """The names in a folder that a study could have; what else there is goes to `odd`."""
    try:
        found = entries(folder)
    except OSError as error:
        odd.append(Oddity(path=_relative(layout, folder), reason=f"cannot be read: {error.strerror}", hides=True))
        return
    for each in found:
        path = _relative(layout, each)
        if not is_id(each.name):
            odd.append(Oddity(path=path, reason="has a name that no study has: nobody reads it", hides=False))
        elif each.is_symlink() and not each.exists():
            odd.append(Oddity(path=path, reason="is a link that leads nowhere", hides=True))
        elif not each.is_dir():
            odd.append(Oddity(path=path, reason="is a file where a study's folder would be", hides=False))
        else:
            yield each.name


def _seen(layout: Layout, name: str, now: datetime, *, has_rows: bool) -> Seen | Oddity | None:
    """What a name in the store stands for; None for a study that was never created."""
    found = plan_document(layout, name)
    if isinstance(found, dict):
        if found["study_id"] != name:
            reason = f"is a copy of study {found['study_id']} under another name: nobody reads it"
            return Oddity(path=f"studies/{name}", reason=reason, hides=has_rows)
        created_at = _date(found.get("created_at")) or _date_of(name)
        return Seen(
            study_id=name, created_at=created_at, is_ahead=bool(created_at and created_at - now > _CLOCKS_DIFFER)
        )
    if not has_rows and _is_bare(layout.plan(name).parent):
        return None  # the process died before its first promise
    if "." in name:  # of no study that bench names itself
        return Oddity(path=f"studies/{name}", reason=f"looks like a copy of a study: {found.reason}", hides=has_rows)
    return Seen(study_id=name, created_at=_date_of(name), unreadable=found.reason)


def _is_bare(folder: Path) -> bool:
    try:
        return not entries(folder)
    except OSError:
        return False


def _date(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found and (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC))


def _date_of(study_id: str) -> datetime | None:
    """When a study was begun, by the first ten digits of its id (`bench.planning.new_study_id`)."""
    try:
        return datetime.strptime(f"{re.split('[^0-9]', study_id)[0]}+0000", "%y%m%d%H%M%z")
    except ValueError:
        return None


def _relative(layout: Layout, path: Path) -> str:
    """From the store's root, as it can be printed."""
    name = path.relative_to(layout.root).as_posix()
    return name if name.isprintable() else ascii(name)[1:-1]


def studies(store: StorePath) -> list[str]:
    """The ids of all studies, newest first.

    Raises:
        NoStoreError: no store at this path.
        CannotError: a newer bench wrote it.
    """
    return [each.study_id for each in survey(store).studies]


def study_plan(store: StorePath, study_id: str) -> dict[str, Any]:
    """The plan of a study as it was written, as plain JSON types.

    Raises:
        UsageError: no such study.
        CannotError: its file is missing or damaged.
    """
    layout = existing(store)
    found = plan_document(layout, study_id)
    if isinstance(found, dict):
        return found
    if study_id not in (known := studies(store)):
        raise _no_such("study", study_id, known)
    kind = CannotError if found.is_damaged else UnreadableError
    hint = f"look at {layout.plan(study_id)}, and at: bench verify"
    raise kind(f"the plan of study {study_id} cannot be read: {found.reason}", hint=hint)


def plan(store: StorePath, study_id: str) -> Plan:
    """The plan of a study.

    Raises:
        UsageError: no such study.
        CannotError: its file is damaged, or another version of bench wrote it.
    """
    try:
        return from_json(study_plan(store, study_id))
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
        raise CannotError(f"the plan of study {study_id} is not one of this version of bench: {error}") from error


def markers(store: StorePath, study_id: str, damaged: list[Damage] | None = None) -> list[Marker]:
    """The committed launches of a study, each by its latest attempt, in order of their ids; empty without any.

    Args:
        store: the store's folder.
        study_id: a whole id.
        damaged: takes the markers that cannot be read; without it each is a `DamageWarning`.
    """
    return list(settled(store, study_id, damaged).values())


def settled(store: StorePath, study_id: str, damaged: list[Damage] | None = None) -> dict[str, Marker]:
    """The committed attempt of each launch that counts: the latest that says something of it, else the latest.

    An attempt that was given up may come back with its result while a later one is lost: the result counts. Arguments
    as for `markers`.
    """
    counts: dict[str, Marker] = {}
    for marker in every_marker(store, study_id, damaged):
        other = counts.get(marker.launch_id)
        if other is None or _weight(marker) > _weight(other):
            counts[marker.launch_id] = marker
    return counts


def _weight(marker: Marker) -> tuple[bool, int]:
    return (marker.status not in UNSETTLED, marker.attempt)


def unsettled(store: StorePath, plan: Plan, damaged: list[Damage] | None = None) -> list[PlannedLaunch]:
    """The launches of a plan that --resume must run: not committed, or lost or cancelled at last.

    A crash, a hang or a full device is a result, and is not run again unless the launch keeps checkpoints.

    Raises:
        UnreadableError: some marker cannot be looked at, so that what has a result is not known.
    """
    seen: list[Damage] = []
    latest, again = settled(store, plan.study_id, seen), run_again(plan)
    for each in seen:
        if each.is_unread:
            raise UnreadableError(str(each), hint="until it can be read, nothing of the study is run")
        note(each, damaged)
    return [each for each in plan.launches if each.launch_id not in latest or latest[each.launch_id].status in again]


def run_again(plan: Plan) -> tuple[str, ...]:
    """The statuses of those launches of a plan that --resume runs again."""
    return UNSETTLED_KEPT if plan.keep.checkpoint else UNSETTLED


def every_marker(store: StorePath, study_id: str, damaged: list[Damage] | None = None) -> list[Marker]:
    """The markers of all attempts, superseded ones among them; arguments as for `markers`."""
    layout = existing(store)
    folder, found = layout.markers(study_id), []
    try:
        files = entries(folder, ".json")
    except OSError as error:
        note(_unread(layout, study_id, "", folder, error), damaged)
        return []
    for file in files:
        launch_id, attempt = named(file.stem)
        path = file.relative_to(layout.root).as_posix()
        try:
            marker = Marker.from_bytes(file.read_bytes())
        except OSError as error:
            note(_unread(layout, study_id, launch_id, file, error), damaged)
            continue
        except (ValueError, TypeError, KeyError):
            marker = None
        # Its name is what makes it exclusive: one that names another launch must not stand in for that.
        if marker is not None and (marker.study_id, marker.launch_id, marker.attempt) == (study_id, launch_id, attempt):
            found.append(marker)
        elif marker is not None and marker.study_id == study_id and (folder / _file_of(marker)).exists():
            reason = f"is a copy of {_file_of(marker)} under another name: nobody reads it"
            note(Damage(study_id=study_id, launch_id="", path=path, reason=reason), damaged)
        else:
            damage = Damage(study_id=study_id, launch_id=launch_id, path=path, reason="cannot be read as a marker")
            note(damage, damaged)
    return found


def _file_of(marker: Marker) -> str:
    return f"{marker.launch_id}.a{marker.attempt}.json" if marker.attempt else f"{marker.launch_id}.json"


def _unread(layout: Layout, study_id: str, launch_id: str, path: Path, error: OSError) -> Damage:
    reason = f"cannot be read: {error.strerror or error}"
    name = path.relative_to(layout.root).as_posix()
    return Damage(study_id=study_id, launch_id=launch_id, path=name, reason=reason, is_unread=True)


def resolve(store: StorePath, text: str) -> str:
    """The study that is meant by an id, a unique prefix of one, `@last`, or `@-2` for the last but one.

    Raises:
        UsageError: none or several are meant; the message names what there is.
        CannotError: the one that is meant cannot be read.
    """
    found = survey(store).studies
    if text == "@last" or re.fullmatch(r"@-[1-9]\d*", text):
        back = 1 if text == "@last" else int(text.removeprefix("@-"))
        if back > len(found):
            raise UsageError(f"{text} is not there: the store {store} has {len(found)} studies")
        meant = found[back - 1]
        if meant.unreadable:  # to take an older one in its place would be a wrong answer
            whole = next((each.study_id for each in found if not each.unreadable), None)
            hint = f"the newest that can be read is {whole}" if whole else "look at it with: bench verify"
            raise UnreadableError(f"{text} is {meant}", hint=hint)
        for each in found:
            if each.is_ahead and not meant.is_ahead:
                warnings.warn(StoreWarning(str(each)), stacklevel=2)
        return meant.study_id
    return _one("study", text, [each.study_id for each in found])


def resolve_launch(store: StorePath, text: str, damaged: list[Damage] | None = None) -> Marker:
    """The launch that is meant by `STUDY.LAUNCH`, e.g. `@last.r00p01`; each part may be shortened.

    Raises:
        UsageError: none or several are meant.
    """
    study_text, _, rest = text.rpartition(".")
    study_id = resolve(store, study_text)
    found = {marker.launch_id: marker for marker in markers(store, study_id, damaged)}
    return found[_one("launch", f"{study_id}.{rest}", list(found))]


def _one(kind: str, text: str, known: Sequence[str]) -> str:
    if text in known:
        return text
    meant = [each for each in known if text and each.startswith(text)]
    if not meant:
        raise _no_such(kind, text, known)
    if len(meant) > 1:
        raise UsageError(f"{text!r} begins {len(meant)} ids: {_some(meant)}", hint="give more of the id")
    return meant[0]


def _no_such(kind: str, text: str, known: Sequence[str]) -> UsageError:
    if not known:
        return UsageError(f"no {kind} {text!r}: there is none yet", hint="`bench scale` makes the first")
    close = get_close_matches(text, known, n=3)
    hint = f"did you mean {_some(close)} ?" if close else f"there is {_some(known)}"
    return UsageError(f"no {kind} {text!r}", hint=hint)


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
