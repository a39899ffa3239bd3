"""Writing: a launch is committed whole or not at all, once, and never changed.

Each file is written and synced under a name nobody reads, then linked to its own name, which fails where the name is
taken; the marker that names the files, their sizes and their hashes comes last. Whoever reads sees only what a marker
names, so a crash at any moment leaves a launch that is there or one that is not.
"""

import hashlib
import itertools
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import CannotError
from bench.plan import Plan
from bench.store import attempts, fsops, index, parquet
from bench.store.index import DataFile, Marker
from bench.store.layout import LAYOUT_VERSION, Layout, StorePath, entries, existing
from bench.store.schema import TABLES, Launch, LaunchRows

_WRITTEN = {*TABLES, "studies", "commits", "packs"}


class AlreadyCommittedError(CannotError):
    """This attempt of a launch is in the store; the first commit stays as it is."""


class ClaimedError(CannotError):
    """Another process is saving this attempt, or died while it did; only where there are no hard links."""


@dataclass(frozen=True)
class Store:
    """A store that can be written."""

    path: Path

    @staticmethod
    def open(path: StorePath, *, create: bool = True, needs_bytes: int = 0, needs_files: int = 0) -> "Store":
        """Make sure, before anything is trained, that results can be kept here.

        Args:
            path: the store's folder.
            create: make it when it is not there.
            needs_bytes: room that the study will take.
            needs_files: how many files it will write.

        Raises:
            NoStoreError: there is none, and `create` is off.
            CannotError: it cannot be written, has too little room, or a newer bench wrote it.
        """
        store = Store(Path(path))
        layout = Layout(store.path)
        try:
            if create:
                fsops.make_folder(store.path)
                if _is_empty(layout.format_file):  # a crash where there are no hard links: see fsops.publish
                    fsops.remove(layout.format_file)
                if not layout.format_file.exists():
                    store.publish(_document({"layout": LAYOUT_VERSION}), layout.format_file)
        except OSError as error:
            raise _unwritable(store.path, error) from error
        existing(store.path)
        try:
            store._try_out([layout.staging, *(each for each in entries(store.path) if each.name in _WRITTEN)])
            room = fsops.room(store.path)
        except OSError as error:
            raise _unwritable(store.path, error) from error
        hint = "make room, or name another place with --store DIR"
        if room.bytes is not None and room.bytes < needs_bytes:
            raise CannotError(
                f"the store {store.path} has {room.bytes / 1e6:.0f} MB of room, "
                f"and this study may take {needs_bytes / 1e6:.0f} MB",
                hint=hint,
            )
        if room.files is not None and room.files < needs_files:
            raise CannotError(
                f"the store {store.path} has {room.files} inodes left (df -i), and this study may write {needs_files} "
                "files",
                hint=hint,
            )
        return store

    def try_out(self, study_id: str) -> None:
        """Make sure, before anything is trained, that a study that is there already can be written.

        Raises:
            CannotError: one of its folders cannot.
        """
        layout = Layout(self.path)
        folders = [layout.root / table / study_id for table in TABLES]
        folders += [layout.markers(study_id), layout.plan(study_id).parent, layout.attempts(study_id)]
        self._try_out([each for each in folders if os.path.lexists(each)])

    def create_study(self, plan: Mapping[str, Any]) -> None:
        """Write a study's plan (`bench.plan.to_json`), once.

        Raises:
            CannotError: there is a study of this id, or the disk does not take it.
        """
        study_id = plan["study_id"]
        try:
            is_new = self.publish(_document(plan), Layout(self.path).plan(study_id))
        except OSError as error:
            raise _unwritable(self.path, error) from error
        if not is_new:
            raise CannotError(f"study {study_id} is in the store {self.path} already", hint="--resume goes on with it")

    def commit(self, rows: LaunchRows) -> None:
        """Put one attempt of a launch into the store; once this returns, a power cut does not take it away.

        Raises:
            AlreadyCommittedError: this attempt is there; nothing changes.
            CannotError: the disk does not take it; the launch is not in the store.
        """
        launch, launch_id = rows.launch, rows.launch.launch_id
        marker_file = Layout(self.path).marker(launch.study_id, launch_id, launch.attempt)
        encoded = {table: parquet.encode(table, each) for table, each in rows.tables.items()}
        try:
            if marker_file.exists():
                raise _taken(marker_file, launch_id)
            files = [self._publish_rows(table, launch, data) for table, data in encoded.items()]
            marker = Marker(
                study_id=launch.study_id,
                launch_id=launch_id,
                attempt=launch.attempt,
                status=launch.status,
                files=tuple(files),
            )
            if not self.publish(marker.to_bytes(), marker_file):
                # Another writer was faster since we looked. No marker names our files, so nobody reads them.
                raise _taken(marker_file, launch_id)
        except OSError as error:
            raise CannotError(
                f"launch {launch_id} could not be saved in {self.path}: {fsops.why(error, self.path)}",
                hint="launches saved before it are kept; --resume goes on with the study",
            ) from error

    def commit_late(self, plan: Plan, rows: LaunchRows) -> tuple[Launch, str | None]:
        """Commit a launch, as its own attempt or as a later one; returns its row as the store has it, and what to say.

        Who closed its attempt meanwhile believed its owner dead, or was told so by `--force`: what was finished is
        never thrown away. The result becomes a later attempt of the launch, unless a result has taken its place by
        then: the first that was committed counts, and this one is named.

        Raises:
            CannotError: the disk does not take it.
        """
        launch = rows.launch
        try:
            self.commit(rows)
        except AlreadyCommittedError:
            closed_as = self._status(launch)
            if closed_as not in index.UNSETTLED:  # saved by whoever recovered it, from what its folder keeps
                return launch, None
        else:
            return launch, None
        while True:
            latest = index.settled(self.path, plan.study_id, []).get(launch.launch_id)
            again = index.run_again(plan)
            if launch.status in again or (latest is not None and latest.status not in again):
                kept = Layout(self.path).folder(plan.study_id, launch.launch_id, launch.attempt)
                why = f"launch {launch.launch_id} had been given up by another process, and has another result by now"
                return launch, f"{why}: this one ({launch.status}) is kept in {kept}"
            attempt = attempts.begin_late(self, plan.study_id, launch.launch_id)
            if attempt is None:
                continue
            warning = f"attempt {launch.attempt} had been given up as {closed_as} by another process while it ran"
            later = rows.as_attempt(attempt.attempt, warning)
            self.commit(later)
            return (
                later.launch,
                f"launch {launch.launch_id}: {warning}; its result is kept as attempt {attempt.attempt}",
            )

    def _status(self, launch: Launch) -> str:
        every = index.every_marker(self.path, launch.study_id, [])
        own = (each.status for each in every if (each.launch_id, each.attempt) == (launch.launch_id, launch.attempt))
        return next(own, "lost")

    def _publish_rows(self, table: str, launch: Launch, data: bytes) -> DataFile:
        # A name may be taken by a commit that died before its marker, or by one that is under way: leave it alone.
        for copy in itertools.count():
            final = Layout(self.path).rows(table, launch.study_id, launch.launch_id, launch.attempt, copy)
            if self.publish(data, final):
                break
        return DataFile(
            table=table,
            path=final.relative_to(self.path).as_posix(),
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )

    def publish(self, data: bytes, final: Path) -> bool:
        """Put a whole file under its final name; False, and nothing changes, where that name is taken.

        Raises:
            OSError: the disk or the folder does not take it.
        """
        staging = Layout(self.path).staging
        staged = staging / f"{final.name}.{secrets.token_hex(8)}"
        fsops.make_folder(staging)
        fsops.make_folder(final.parent)
        try:
            fsops.write_new(staged, data)
            return fsops.publish(staged, final)
        finally:
            fsops.remove(staged)

    def _try_out(self, folders: Sequence[Path]) -> None:
        """Do once in each folder what every commit does: it may be a link to another disk, or somebody else's."""
        for folder in folders:
            probe = folder / f".probe.{secrets.token_hex(8)}"
            try:
                self.publish(b"can this be written?\n", probe)
                fsops.remove(probe)
            except OSError as error:
                raise _unwritable(folder, error) from error


def _document(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _taken(marker_file: Path, launch_id: str) -> CannotError:
    if _is_empty(marker_file):  # only where there are no hard links: see fsops.publish
        return ClaimedError(
            f"launch {launch_id} is being saved by another process, or one died while it saved it",
            hint="if nothing runs any more: wait a minute, then bench recover",
        )
    return AlreadyCommittedError(f"launch {launch_id} is in the store already; the first result is kept")


def _is_empty(file: Path) -> bool:
    return file.is_file() and file.stat().st_size == 0


def _unwritable(path: Path, error: OSError) -> CannotError:
    return CannotError(
        f"the store {path} cannot be written: {fsops.why(error, path)}",
        hint="nothing was trained; name another place with --store DIR or BENCH_STORE",
    )
