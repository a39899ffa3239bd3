"""Plain values for files that other programs read: in JSON missing is null, in CSV it is empty."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from bench.analysis.result import Estimate
from reports.text import fmt


def finite(value: Any, digits: int | None = None) -> Any:
    """Plain JSON types, names as text; NaN and infinity are no JSON, and no measurement either: null.

    Args:
        value: of JSON's types, tuples and dataclasses.
        digits: that numbers keep; None: all.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return finite(asdict(value), digits)
    if isinstance(value, Mapping):
        return {str(name): finite(each, digits) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each, digits) for each in value]
    if isinstance(value, float):
        return _rounded(value, digits) if math.isfinite(value) else None
    return value


def estimate(found: Estimate | None) -> dict[str, Any] | None:
    """An estimate as JSON; null where its number is none."""
    return None if found is None or not math.isfinite(found.estimate) else asdict(found)


def as_csv(rows: Sequence[Mapping[str, Any]], digits: int | None = None) -> str:
    """Rows as CSV text; a column that some rows lack is empty there. Arguments as for `finite`."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([names] if names else [])
    writer.writerows([_cell(row.get(name), digits) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: Any, digits: int | None) -> Any:
    """Empty for missing, true and false and what is no plain value as in JSON."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, str):
        return fmt.cell(value)
    if isinstance(value, float):
        return _rounded(value, digits)
    return value if isinstance(value, int) and not isinstance(value, bool) else json.dumps(value)


def _rounded(value: float, digits: int | None) -> float:
    return value if digits is None else float(f"{value:.{digits}g}")
