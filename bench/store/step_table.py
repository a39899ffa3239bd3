"""The step table of a launch, from the arrays that its ranks leave."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from bench.store import schema


def of_ranks(study_id: str, launch_id: str, ranks: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The step table of one launch from each rank's arrays (in order of ranks), as the worker leaves them.

    Each rank's mapping holds int64 arrays of one length: epoch, step, in_window (0 or 1), start_ns, step_ns,
    data_wait_ns, samples, steps and, where there are several, segment.
    """
    pieces, phases = [], (schema.WARMUP, schema.WINDOW)
    for rank, arrays in enumerate(ranks):
        count = len(arrays["step"])
        known = {
            "study_id": pa.repeat(study_id, count),
            "launch_id": pa.repeat(launch_id, count),
            "schema_version": pa.repeat(pa.scalar(schema.SCHEMA_VERSION, pa.int64()), count),
            "method_version": pa.repeat(pa.scalar(schema.METHOD_VERSION, pa.int64()), count),
            "rank": pa.repeat(pa.scalar(rank, pa.int64()), count),
            "phase": pa.array([phases[bool(inside)] for inside in arrays["in_window"]], pa.string()),
        }
        if "segment" not in arrays:
            known["segment"] = pa.repeat(pa.scalar(0, pa.int64()), count)
        table = schema.arrow_schema("steps")
        columns = [known[name] if name in known else pa.array(arrays[name], pa.int64()) for name in table.names]
        pieces.append(pa.Table.from_arrays(columns, schema=table))
    return pa.concat_tables(pieces) if pieces else schema.arrow_schema("steps").empty_table()
