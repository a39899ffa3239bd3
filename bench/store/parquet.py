"""One table as the bytes of a parquet file, and back to exactly the schema of today."""

import pyarrow as pa
import pyarrow.parquet as pq

from bench.store.schema import arrow_schema


def encode(table: str, rows: pa.Table) -> bytes:
    """Parquet bytes of one launch's rows.

    Integers as differences and floats split by byte compress best for step times (12.5 against 29.3 bytes a row with
    pyarrow's defaults, on synthetic timings); strings repeat, so they get a dictionary.

    Raises:
        pyarrow.ArrowInvalid: the rows do not fit the table's schema, or hold a null where there must be none.
    """
    schema = arrow_schema(table)
    rows = rows.select(schema.names).cast(schema)
    encodings = {}
    for column in schema:
        if pa.types.is_integer(column.type):
            encodings[column.name] = "DELTA_BINARY_PACKED"
        elif pa.types.is_floating(column.type):
            encodings[column.name] = "BYTE_STREAM_SPLIT"
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        use_dictionary=[column.name for column in schema if pa.types.is_string(column.type)],
        column_encoding=encodings,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(table: str, data: bytes) -> pa.Table:
    """Rows with the columns and types of today's schema, less those that an older bench did not write.

    Raises:
        pyarrow.ArrowException: these are not the bytes of such a file.
    """
    # Not read_table, which brings pandas; without threads, whose start takes longer than reading a file of one row.
    found = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    written = set(found.column_names)
    kept = pa.schema([column for column in arrow_schema(table) if column.name in written])
    return found.select(kept.names).cast(kept)


def written_as(data: bytes) -> tuple[str, int]:
    """Which table the writer says it is, and by which version of the schema; ("", 0) where it does not say.

    Raises:
        pyarrow.ArrowException: these are not the bytes of such a file.
    """
    told = pq.ParquetFile(pa.BufferReader(data)).schema_arrow.metadata or {}
    return told.get(b"bench.table", b"").decode(), int(told.get(b"bench.schema_version", b"0"))
