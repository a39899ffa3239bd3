"""Reading: only files that a marker names, each checked against its size and hash, into one explicit schema.

Of a study of many launches its pack stands for them where it may: see bench/store/packs.py.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bench.errors import UsageError
from bench.store import packs, parquet
from bench.store.index import Damage, DataFile, Marker, markers, note, studies
from bench.store.layout import Layout, StorePath, existing
from bench.store.schema import TABLES, ClassScore, Dna, Epoch, Launch, Layer, arrow_schema, from_table

READERS = 2  # more than two gain nothing: half of the work is Python's
TOGETHER = 128  # files: their tables are held until their rows are made

if TYPE_CHECKING:
    import pandas as pd


class NoTableError(UsageError, ValueError):
    """There is no table of this name."""


def load(store: StorePath, table: str) -> "pd.DataFrame":
    """One table over all studies of a store, oldest study first.

    Whole numbers are `Int64`, truth values `boolean` and texts `string`, so that a missing one is `pandas.NA` and never
    0; measured quantities are `float64` with NaN for missing. The types are the same for an empty store.

    Args:
        store: the store's folder.
        table: launches, steps, epochs, classes, layers or dna.

    Raises:
        NoTableError: no such table (a `ValueError`).
        NoStoreError: no store at this path (a `FileNotFoundError`).
    """
    import pandas as pd  # noqa: PLC0415 - only for whoever asks for a frame

    if table not in TABLES:
        close = get_close_matches(table, TABLES, n=1)
        hint = f"did you mean {close[0]} ?" if close else f"there is {', '.join(TABLES)}"
        raise NoTableError(f"no table {table!r}", hint=hint)
    found = [rows for study_id in reversed(studies(store)) for _, rows in committed(store, study_id).pieces(table)]
    # The schema of today first: a column that an older bench did not write is missing in its rows, not an error.
    whole = pa.concat_tables([arrow_schema(table).empty_table(), *found], promote_options="default")
    types = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype(), pa.string(): pd.StringDtype()}
    frame: pd.DataFrame = whole.to_pandas(types_mapper=types.get)
    return frame


def launches(store: StorePath, study_id: str, damaged: list[Damage] | None = None) -> list[Launch]:
    """The committed launches of a study, in the order they were planned.

    Args:
        store: the store's folder.
        study_id: a whole id (`resolve` finds one).
        damaged: takes the files that were left out; without it each is a `DamageWarning`.
    """
    return committed(store, study_id, damaged).launches(damaged)


def committed(store: StorePath, study_id: str, damaged: list[Damage] | None = None) -> "Committed":
    """What a study's markers name, for whoever needs several of its tables; arguments as for `launches`."""
    return Committed(layout=existing(store), markers=tuple(markers(store, study_id, damaged)))


@dataclass(frozen=True, kw_only=True)
class Committed:
    """The files of one study: each is opened once, when its table is asked for. `damaged` as for `launches`."""

    layout: Layout
    markers: tuple[Marker, ...]

    def launches(self, damaged: list[Damage] | None = None) -> list[Launch]:
        rows: list[Launch] = self._rows("launches", damaged)
        return sorted(rows, key=lambda launch: (launch.round, launch.position))

    def epochs(self, damaged: list[Damage] | None = None) -> list[Epoch]:
        return self._rows("epochs", damaged)

    def classes(self, damaged: list[Damage] | None = None) -> list[ClassScore]:
        return self._rows("classes", damaged)

    def layers(self, damaged: list[Damage] | None = None) -> list[Layer]:
        return self._rows("layers", damaged)

    def dna(self, damaged: list[Damage] | None = None) -> list[Dna]:
        return self._rows("dna", damaged)

    def steps(
        self, damaged: list[Damage] | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[str, dict[str, np.ndarray[Any, Any]]]]:
        """One launch after another, so that not all of them need room at once; only these columns, or all."""
        for launches, rows in self.pieces("steps", damaged, columns):
            arrays, start = {name: _array(rows.column(name)) for name in rows.column_names}, 0
            for launch_id, count in launches:
                yield launch_id, {name: values[start : start + count] for name, values in arrays.items()}
                start += count

    def pieces(
        self, table: str, damaged: list[Damage] | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[packs.Piece]:
        """The rows of one table, or some columns of them, in order of the markers: a launch's, or several launches'."""
        originals = [file for marker in self.markers for file in marker.files if file.table == table]
        packed = packs.pieces(self.layout, self._pack, originals, columns) if self._pack and originals else None
        if packed is not None:
            return packed
        return (([(name, len(rows))], rows) for name, rows in self.singles(table, damaged, columns))

    def singles(
        self, table: str, damaged: list[Damage] | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[str, pa.Table]]:
        """Launch ids with their rows from the launches' own files, which alone are the truth."""
        wanted = [(marker, file) for marker in self.markers for file in marker.files if file.table == table]

        def read(batch: Sequence[tuple[Marker, DataFile]]) -> list[pa.Table | Damage]:
            return [table_of(self.layout, marker, file, columns) for marker, file in batch]

        batches = [wanted[start : start + TOGETHER] for start in range(0, len(wanted), TOGETHER)]
        with ThreadPoolExecutor(READERS) as readers:  # Arrow lets go of the interpreter while it decodes
            coming = deque(readers.submit(read, batch) for batch in batches[: READERS + 1])
            for number, batch in enumerate(batches):
                found = coming.popleft().result()
                coming.extend(
                    readers.submit(read, ahead) for ahead in batches[number + READERS + 1 : number + READERS + 2]
                )
                for (marker, _), rows in zip(batch, found, strict=True):
                    if isinstance(rows, Damage):
                        note(rows, damaged)
                    else:
                        yield marker.launch_id, rows

    @cached_property
    def _pack(self) -> packs.Pack | None:
        return packs.find(self.layout, self.markers)

    def _rows(self, table: str, damaged: list[Damage] | None) -> list[Any]:
        """Neighbours of one schema together: converting a table takes as long for a hundred rows as for one."""
        found = enumerate(rows for _, rows in self.pieces(table, damaged))
        return [
            row
            for _, alike in groupby(found, key=lambda each: (each[0] // TOGETHER, each[1].column_names))
            for row in from_table(table, pa.concat_tables(rows for _, rows in alike))
        ]


def _array(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """A column without nulls as numpy; Arrow's own way would import pandas, which takes longer than the reading."""
    whole = column.combine_chunks()
    if pa.types.is_integer(column.type):
        numbers: np.ndarray[Any, Any] = np.from_dlpack(whole)
        return numbers
    coded = whole.dictionary_encode()  # texts that repeat: each is made once
    texts = np.array(coded.dictionary.to_pylist(), dtype=object)
    spread: np.ndarray[Any, Any] = texts[np.from_dlpack(coded.indices)]
    return spread


def table_of(layout: Layout, marker: Marker, file: DataFile, columns: Sequence[str] | None = None) -> pa.Table | Damage:
    """The rows of one file that a marker names (of some columns, or of all), or what is wrong with it."""
    is_unread = False
    try:
        data = (layout.root / file.path).read_bytes()
        if len(data) != file.bytes:
            reason = f"has {len(data)} bytes of {file.bytes}"
        elif hashlib.sha256(data).hexdigest() != file.sha256:
            reason = "is not what was committed (its hash differs)"
        else:
            return parquet.decode(file.table, data, columns)
    except FileNotFoundError:
        reason = "is missing"
    except OSError as error:
        reason, is_unread = f"cannot be read: {error.strerror or error}", True
    except pa.ArrowException as error:
        reason = f"cannot be read ({type(error).__name__})"
    return Damage(
        study_id=marker.study_id, launch_id=marker.launch_id, path=file.path, reason=reason, is_unread=is_unread
    )
