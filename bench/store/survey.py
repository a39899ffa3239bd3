"""Which studies a store holds, and what else lies among them. Standard library only.

A study is there when anything of it is: what cannot be read is told, and is not taken for absent. What file managers
and synchronisers leave beside one (`ID (copy)`, `ID.bak`) is no study, however much it looks like one.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.store.layout import Layout, StorePath, entries, existing, is_id

# Clocks of hosts that share a store differ; what is dated later than by this much is dated wrongly.
_CLOCKS_DIFFER = timedelta(hours=1)


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


def document(layout: Layout, study_id: str) -> dict[str, Any] | NoPlan:
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
    found = document(layout, name)
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
