"""One table as a parquet file, and back to exactly the schema of today."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from bench.store.schema import arrow_schema

FEW_ROWS = 32


def encode(table: str, rows: pa.Table) -> bytes:
    """Parquet bytes of one launch's rows.

    Integers as differences and floats split by byte compress best for step times (12.5 against 29.3 bytes a row with
    pyarrow's defaults, on synthetic timings); strings repeat, so they get a dictionary. A table of few rows is nearly
    all column headers: stored as it is it is a quarter smaller, and read in a third of the time.

    Raises:
        pyarrow.ArrowInvalid: the rows do not fit the table's schema, or hold a null where there must be none.
    """
    schema = arrow_schema(table)
    rows = rows.select(schema.names).cast(schema)
    if rows.num_rows < FEW_ROWS:
        return _written(rows, compression="none", use_dictionary=False, write_statistics=False)
    return _written(rows, **_packed_well(schema))


def appender(table: str, sink: BinaryIO) -> pq.ParquetWriter:
    """Writes a file of many rows, group after group, with the same encodings; to be closed before the sink is."""
    schema = arrow_schema(table)
    return pq.ParquetWriter(sink, schema, **_packed_well(schema))


def _packed_well(schema: pa.Schema) -> dict[str, Any]:
    encodings = {}
    for column in schema:
        if pa.types.is_integer(column.type):
            encodings[column.name] = "DELTA_BINARY_PACKED"
        elif pa.types.is_floating(column.type):
            encodings[column.name] = "BYTE_STREAM_SPLIT"
    strings = [column.name for column in schema if pa.types.is_string(column.type)]
    return {"compression": "zstd", "use_dictionary": strings, "column_encoding": encodings}


def _written(rows: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, **options)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(table: str, data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows with the columns and types of today's schema, less those that an older bench did not write.

    Args:
        table: whose schema it is.
        data: the file.
        columns: the only ones that are wanted; None for all.

    Raises:
        pyarrow.ArrowException: these are not the bytes of such a file.
    """
    # Not read_table, which brings pandas; without threads, whose start takes longer than reading a file of one row.
    file = pq.ParquetFile(pa.BufferReader(data))
    return _of_today(table, file.read(columns=columns and list(columns), use_threads=False))


def groups(table: str, handle: BinaryIO) -> Callable[[Sequence[str] | None], Iterator[pa.Table]]:
    """A file of many rows, to be read one group of them after another; the columns are as for `decode`.

    Raises:
        pyarrow.ArrowException: these are not the bytes of such a file.
    """
    file = pq.ParquetFile(handle)

    def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
        for number in range(file.num_row_groups):
            found = file.read_row_group(number, columns=columns and list(columns), use_threads=False)
            yield _of_today(table, found)

    return read


def _of_today(table: str, found: pa.Table) -> pa.Table:
    kept = _kept(table, tuple(found.column_names))
    return found if found.schema.equals(kept) else found.select(kept.names).cast(kept)


@cache
def _kept(table: str, written: tuple[str, ...]) -> pa.Schema:
    return pa.schema([column for column in arrow_schema(table) if column.name in written])


def written_as(data: bytes) -> tuple[str, int]:
    """Which table the writer says it is, and by which version of the schema; ("", 0) where it does not say.

    Raises:
        pyarrow.ArrowException: these are not the bytes of such a file.
    """
    facts = pq.ParquetFile(pa.BufferReader(data)).schema_arrow.metadata or {}
    return facts.get(b"bench.table", b"").decode(), int(facts.get(b"bench.schema_version", b"0"))
