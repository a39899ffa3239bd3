"""Writing a pack (see bench/store/packs.py) when a study ends: whatever hinders it costs the copy and no more."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bench.errors import BenchError
from bench.store import fsops, index, packs, parquet, read
from bench.store.commit import Store
from bench.store.index import Damage, DataFile
from bench.store.layout import Layout
from bench.store.schema import TABLES, arrow_schema

ROWS_TOGETHER = 16_384  # in memory at once, here and in the reader; a launch that has more is written alone


class _UnpackableError(Exception):
    """These rows cannot be told as they are in one file."""


def pack(store: Store, study_id: str) -> bool:
    """Have a study's committed launches in one file a table; whether they are.

    None is written for few launches, where a file is damaged (it must go on being told), where rows were written by an
    older schema, or where the disk has less than twice the room. Never fails.
    """
    layout, damaged = Layout(store.path), list[Damage]()
    is_there = False
    try:
        files = read.committed(store.path, study_id, damaged)
        found = packs.find(layout, files.markers)
        is_there = found is not None and packs.is_right(layout, found)
        if not is_there and not damaged and len(files.markers) >= packs.FEWEST_LAUNCHES:
            is_there = _written(store, layout, files)
    except (OSError, pa.ArrowException, BenchError, _UnpackableError):
        pass
    with contextlib.suppress(OSError, BenchError):  # stale ones, and what was written of this one when it was hindered
        for file in packs.leftovers(layout, study_id, index.markers(store.path, study_id, [])):
            fsops.remove(file)
    return is_there


def _written(store: Store, layout: Layout, files: read.Committed) -> bool:
    study_id, token = files.markers[0].study_id, secrets.token_hex(8)
    free, needed = fsops.room(layout.root).bytes, sum(each.bytes for marker in files.markers for each in marker.files)
    if free is not None and free < 2 * needed:
        return False
    staged = {table: layout.staging / f"{table}.pack.{token}" for table in TABLES}
    fsops.make_folder(layout.staging)
    fsops.make_folder(layout.packs(study_id))
    try:
        written = [table for table, path in staged.items() if _write_table(files, table, path)]
        named = []
        for table in written:
            size, sha256 = packs.digest(staged[table])
            final = layout.packed(study_id, table, token)
            fsops.publish(staged[table], final)
            named.append(
                DataFile(table=table, path=final.relative_to(layout.root).as_posix(), bytes=size, sha256=sha256)
            )
    finally:
        for each in staged.values():
            with contextlib.suppress(OSError):  # what stays is swept from staging like any other
                fsops.remove(each)
    pack = packs.Pack(
        study_id=study_id, covers=packs.covering(files.markers), launches=len(files.markers), files=tuple(named)
    )
    document = layout.pack(study_id, pack.covers)
    fsops.remove(document)  # of a pack that covers the same and is damaged
    return store.publish(pack.to_bytes(), document)


def _write_table(files: read.Committed, table: str, path: Path) -> bool:
    """All launches' rows, a group after another; False, and no file, where there are none."""
    groups = _groups(files, table)
    first = next(groups, None)
    if first is None:
        return False
    with fsops.writing_new(path) as handle, parquet.appender(table, handle) as appender:
        appender.write_table(first, row_group_size=len(first))
        for group in groups:
            appender.write_table(group, row_group_size=len(group))
    return True


def _groups(files: read.Committed, table: str) -> Iterator[pa.Table]:
    """Rows of whole launches, in the order of their markers."""
    damaged: list[Damage] = []
    held: list[pa.Table] = []
    for _, rows in files.singles(table, damaged):
        if damaged or not len(rows) or not rows.schema.equals(arrow_schema(table)):
            raise _UnpackableError
        held.append(rows)
        if sum(map(len, held)) >= ROWS_TOGETHER:
            yield pa.concat_tables(held)
            held = []
    if damaged:
        raise _UnpackableError
    if held:
        yield pa.concat_tables(held)
