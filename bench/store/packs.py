"""Packs: the rows of a whole study once more, in one file a table, because a thousand small files are read slowly.

A pack is a copy and never the truth: it may be deleted at any moment, and is read only where it holds exactly what the
markers name now, every file that they name is still there in its size, and its own hash is right. Anything else, and
the single files are read. What is flipped in one of those while a pack stands for it is found by `bench verify`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from bench.documents import noun_of
from bench.store import parquet
from bench.store.index import DataFile, Marker
from bench.store.layout import Layout
from bench.store.schema import LAUNCH_ID

PACK_SCHEMA = "bench.pack/1"
FEWEST_LAUNCHES = 50  # a launch's files are read in 3 to 5 ms: what fewer would gain, nobody notices

Piece = tuple[Sequence[tuple[str, int]], pa.Table]  # launch ids, and how many of the rows are each one's


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One pack of a study."""

    study_id: str
    covers: str  # see `covering`
    launches: int
    files: tuple[DataFile, ...]  # one of each table that has rows
    schema: str = PACK_SCHEMA

    def to_bytes(self) -> bytes:
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @staticmethod
    def from_bytes(data: bytes) -> "Pack":
        return noun_of(Pack, json.loads(data))


def covering(markers: Sequence[Marker]) -> str:
    """What these markers say, as one SHA-256: launches, attempts, and size and hash of every file."""
    digest_of_all = hashlib.sha256()
    for marker in markers:
        digest_of_all.update(f"{marker.study_id} {marker.launch_id} {marker.attempt} {marker.status}\n".encode())
        for file in marker.files:
            digest_of_all.update(f"{file.table} {file.bytes} {file.sha256} {file.path}\n".encode())
    return digest_of_all.hexdigest()


def find(layout: Layout, markers: Sequence[Marker]) -> Pack | None:
    """The pack that says it holds what these markers (of one study) name; whether that is so, `pieces` finds out."""
    if len(markers) < FEWEST_LAUNCHES:
        return None
    study_id, covers = markers[0].study_id, covering(markers)
    try:
        pack = Pack.from_bytes(layout.pack(study_id, covers).read_bytes())
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return pack if (pack.schema, pack.study_id, pack.covers) == (PACK_SCHEMA, study_id, covers) else None


def pieces(
    layout: Layout, pack: Pack, originals: Sequence[DataFile], columns: Sequence[str] | None = None
) -> Iterator[Piece] | None:
    """A table's rows from the pack, many launches at a time; None where the single files have to be read instead.

    Args:
        layout: of the store.
        pack: from `find`.
        originals: all files of this table that the markers name, at least one.
        columns: the only ones that are wanted; None for all.
    """
    table = originals[0].table
    packed = next((file for file in pack.files if file.table == table), None)
    if packed is None or not all(_size(layout.root / each.path) == each.bytes for each in originals):
        return None
    handle = None
    try:
        handle = (layout.root / packed.path).open("rb")
        # Of the very handle that is read, whatever becomes of its name meanwhile.
        if hashlib.file_digest(handle, "sha256").hexdigest() == packed.sha256:
            return _split(handle, parquet.groups(table, handle), columns)
    except (OSError, pa.ArrowException):
        pass
    if handle is not None:
        handle.close()
    return None


def is_right(layout: Layout, pack: Pack) -> bool:
    """Whether every file of a pack is there and has its hash."""
    try:
        return all(digest(layout.root / file.path) == (file.bytes, file.sha256) for file in pack.files)
    except OSError:
        return False


def leftovers(layout: Layout, study_id: str, markers: Sequence[Marker]) -> list[Path]:
    """The files of a study's packs that nobody reads: stale ones, damaged ones, and those of a writer that died."""
    pack = find(layout, markers)
    kept = set()
    if pack is not None and is_right(layout, pack):
        kept = {layout.pack(study_id, pack.covers), *(layout.root / file.path for file in pack.files)}
    return sorted(set(layout.packs(study_id).glob("*")) - kept)


def digest(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file of any size.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as handle:
        return path.stat().st_size, hashlib.file_digest(handle, "sha256").hexdigest()


def _split(handle: BinaryIO, read: Callable[..., Iterator[pa.Table]], columns: Sequence[str] | None) -> Iterator[Piece]:
    wanted = None if columns is None else [*columns, *({LAUNCH_ID} - set(columns))]
    with handle:
        for rows in read(wanted):
            runs = pc.run_end_encode(rows.column(LAUNCH_ID).combine_chunks())
            ends = runs.run_ends.to_pylist()
            counts = [end - start for start, end in zip([0, *ends], ends, strict=False)]
            kept = rows if columns is None else rows.select([each for each in rows.column_names if each in columns])
            yield list(zip(runs.values.to_pylist(), counts, strict=True)), kept


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
