"""Copying studies from one store to another: files first, each read back; markers last.

So a launch that can be seen there is whole, whatever interrupts the copying. A launch is copied with all its attempts
or not at all, and nothing that is there is changed: where a file has other content than ours, the launch is refused
and named. Doing it again copies what is missing.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from bench.errors import CannotError, UsageError
from bench.store.index import DataFile, Marker
from bench.store.layout import name_of, named
from bench.store.place import Place

Tell = Callable[[int, int], None]  # files looked at so far, files altogether


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What became of it."""

    studies: tuple[str, ...]
    launches: int  # that can be seen there now and could not before, attempts counted
    files: int  # copied
    bytes: int  # copied
    present: int  # files that were there already
    refused: tuple[str, ...]  # why a study or launch was left out, a sentence each
    notes: tuple[str, ...] = ()  # what was passed over and is no study's or launch's own


@dataclass(kw_only=True)
class _Launch:
    """All that belongs to one launch, by path; a file's `DataFile` is what its marker says of it, if any does."""

    launch_id: str
    files: dict[str, DataFile | None] = field(default_factory=dict)
    markers: dict[str, bytes] = field(default_factory=dict)
    refused: str = ""  # why it is left out


class _RefusedError(Exception):
    """Why one study or launch is left out."""


def transfer(
    source: Place, target: Place, words: Sequence[str] = (), *, logs: bool = False, tell: Tell = lambda *_: None
) -> Transfer:
    """Copy studies with their plans, attempts and committed launches.

    Args:
        source: a store.
        target: a store, or where there will be one.
        words: the studies, as ids, beginnings of ids, `@last` or `@-2`; all when empty.
        logs: what the ranks said goes along; it may name paths and people.
        tell: called before each file.

    Raises:
        UsageError: no such store or study, or both places are the same.
        CannotError: one side cannot be read or written, or a file did not arrive whole. What arrived stays.
    """
    if source.is_same(target):
        raise UsageError(f"{target.url} is the store itself", hint="name another place")
    source.require_store()
    copying = _Copying(source, target, tell)
    notes: list[str] = []
    studies = source.resolve(words, copying.here, notes)
    target.make_store()
    return copying.run(studies, notes, logs=logs)


class _Copying:
    """One transfer under way."""

    def __init__(self, source: Place, target: Place, tell: Tell) -> None:
        self._source, self._target, self._tell = source, target, tell
        self._unread: dict[str, str] = {}
        self.here, self._there = source.sizes(self._unread), target.sizes()
        self._refused: list[str] = []
        self._open: list[str] = []
        self._files = self._bytes = self._present = self._launches = self._done = self._total = 0

    def run(self, studies: Sequence[str], notes: Sequence[str], *, logs: bool) -> Transfer:
        studies = [study_id for study_id in studies if self._is_readable(study_id)]
        # The plan, and what was written beside it later.
        plans = {study_id: self._paths(f"studies/{study_id}/", r"[^./][^/]*\.json") for study_id in studies}
        launches = {study_id: self._launches_of(study_id, logs=logs) for study_id in studies}
        every = [launch for found in launches.values() for launch in found]
        self._total = sum(map(len, plans.values())) + sum(len(each.files) + len(each.markers) for each in every)
        for study_id, documents in plans.items():
            self._guarded(f"study {study_id}", launches[study_id], partial(self._copy, dict.fromkeys(documents)))
        for launch in every:
            if not launch.refused:
                self._guarded(f"launch {launch.launch_id}", [launch], partial(self._rows, launch))
        for launch in every:
            if not launch.refused:
                self._guarded(f"launch {launch.launch_id}", [launch], partial(self._markers, launch))
        return Transfer(
            studies=tuple(studies),
            launches=self._launches,
            files=self._files,
            bytes=self._bytes,
            present=self._present,
            refused=tuple(self._refused),
            notes=(*notes, *self._open),
        )

    def _is_readable(self, study_id: str) -> bool:
        """Whether all that a study needs can be seen; what cannot is not taken for absent."""
        plan = f"studies/{study_id}/study.json"
        needed = ("studies", f"studies/{study_id}", f"studies/{study_id}/attempts", "commits", f"commits/{study_id}")
        why = [f"{path} cannot be read: {self._unread[path]}" for path in needed if path in self._unread]
        why += [f"{plan} is missing"] * (plan not in self.here)
        self._refused += [f"study {study_id} was left out: {each}" for each in why[:1]]
        return not why

    def _guarded(self, what: str, launches: Sequence[_Launch], copy: Callable[[], None]) -> None:
        """One that is refused costs nobody else."""
        try:
            copy()
        except _RefusedError as error:
            self._refused.append(f"{what} was left out: {error}")
            for launch in launches:
                launch.refused = str(error)

    def _launches_of(self, study_id: str, *, logs: bool) -> list[_Launch]:
        found: dict[str, _Launch] = {}
        # An attempt's name is longer than its launch's, and comes after it: who reads meanwhile sees the earlier state.
        markers = sorted(self._paths(f"commits/{study_id}/", r"[^./][^/]*\.json"), key=lambda path: (len(path), path))
        for path in markers:
            launch_id, attempt = named(PurePosixPath(path).stem)
            launch = found.setdefault(launch_id, _Launch(launch_id=launch_id))
            data = self._source.read(path)
            try:
                marker = _marker(data, study_id, launch_id, attempt)
            except ValueError as error:
                launch.refused = str(error)
                self._refused.append(f"launch {launch_id} was left out: {path} {error}")
                continue
            launch.markers[path] = data
            launch.files |= {each.path: each for each in marker.files}
            if logs:
                folder = f"studies/{study_id}/logs/{name_of(launch_id, attempt)}/"
                launch.files |= dict.fromkeys(self._paths(folder, ".+"))
        for path in self._paths(f"studies/{study_id}/attempts/", r"[A-Za-z0-9][A-Za-z0-9._-]*\.a\d+\.json"):
            launch_id, _, number = PurePosixPath(path).stem.rpartition(".a")
            if f"commits/{study_id}/{name_of(launch_id, int(number))}.json" in self.here:
                found.setdefault(launch_id, _Launch(launch_id=launch_id)).files[path] = None
            else:  # its owner gives signs of life here and not there, where it would soon count as dead
                self._open.append(f"launch {launch_id} has not ended there: nothing of it is copied yet")
        return [found[launch_id] for launch_id in sorted(found)]

    def _paths(self, folder: str, pattern: str) -> list[str]:
        matches = re.compile(re.escape(folder) + pattern).fullmatch
        return sorted(path for path in self.here if matches(path))

    def _rows(self, launch: _Launch) -> None:
        """Everything but the markers; refused before anything of it is written."""
        committed = {path for path, data in launch.markers.items() if self._is_there(path, data)}
        if launch.markers and len(committed) == len(launch.markers):
            # The same markers are there: then so is what they name, and only what is missing is looked at closely.
            here = {path: self.here.get(path) for path in launch.files}
            known = {path for path, size in here.items() if size is not None and self._there.get(path) == size}
        else:
            known = set()
        self._present += len(known)
        self._done += len(known)
        self._copy({path: file for path, file in launch.files.items() if path not in known})

    def _markers(self, launch: _Launch) -> None:
        for path, data in launch.markers.items():
            self._tell(self._done, self._total)
            self._done += 1
            if self._is_there(path, data):
                self._present += 1
            else:
                self._write(path, data)
                self._launches += 1

    def _copy(self, files: Mapping[str, DataFile | None]) -> None:
        contents = {}
        for path, file in files.items():
            self._tell(self._done, self._total)
            self._done += 1
            contents[path] = self._checked(path, file)
        missing = [path for path, data in contents.items() if not self._is_there(path, data)]
        self._present += len(contents) - len(missing)
        for path in missing:
            self._write(path, contents[path])

    def _checked(self, path: str, file: DataFile | None) -> bytes:
        """A file of ours, which is what its marker says."""
        if path not in self.here:
            raise _RefusedError(f"{path} is missing here")
        data = self._source.read(path)
        if file is not None and (len(data), hashlib.sha256(data).hexdigest()) != (file.bytes, file.sha256):
            raise _RefusedError(f"{path} is damaged here (bench verify tells more)")
        return data

    def _is_there(self, path: str, data: bytes) -> bool:
        """Whether the target holds this very file; one that our own interrupted copy left is as good as none."""
        if path not in self._there:
            return False
        content = self._target.read(path)
        if content == data:
            return True
        if self._target.is_torn(content, data):
            return False
        raise _RefusedError(f"{path} has other content there; nothing was changed")

    def _write(self, path: str, data: bytes) -> None:
        """Write a file that is not there, and read it back."""
        if path in self._there:
            self._target.remove(path)  # torn: see `_is_there`
        if not self._target.create(path, data):
            self._there[path] = None  # another writer was faster
            if not self._is_there(path, data):
                raise _RefusedError(f"{path} is being written there by somebody else")
            self._present += 1
            return
        if self._target.read(path) != data:
            self._target.remove(path)
            raise CannotError(f"{path} did not arrive whole at {self._target.url}", hint="repeat; what arrived stays")
        self._there[path] = len(data)
        self._files += 1
        self._bytes += len(data)


def _marker(data: bytes, study_id: str, launch_id: str, attempt: int) -> Marker:
    """A marker that is whole, is its name's own, and names only files of its study.

    Raises:
        ValueError: it is not; the text says what of it, and follows its path.
    """
    try:
        marker = Marker.from_bytes(data)
    except (ValueError, TypeError, KeyError):
        raise ValueError("cannot be read as a marker") from None
    if (marker.study_id, marker.launch_id, marker.attempt) != (study_id, launch_id, attempt):
        raise ValueError("names another launch")
    for file in marker.files:
        # A launch's files are its study's, wherever the marker comes from.
        parts = PurePosixPath(file.path).parts
        if parts[:2] != (file.table, study_id) or len(parts) != 3 or ".." in parts or file.table in _NO_TABLES:
            raise ValueError(f"names a file that is none of its study's: {file.path}")
    return marker


_NO_TABLES = {"commits", "studies", "packs", "staging"}
