"""Plain values for files that other programs read: in JSON missing is null, in CSV it is empty."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from bench.analysis.result import Estimate, Row
from bench.plan import Configuration
from reports.text import fmt

_OF_A_CONFIGURATION = tuple(each.name for each in fields(Configuration) if each.name != "ddp")


def finite(value: Any, digits: int | None = None) -> Any:
    """Plain JSON types, names as text; NaN and infinity are no JSON, and no measurement either: null.

    Args:
        value: of JSON's types, tuples and dataclasses.
        digits: that numbers keep; None: all.
    """
    match value:
        case float():
            return _rounded(value, digits) if math.isfinite(value) else None
        case Row():
            return finite(_row(value), digits)
        case Mapping():
            return {str(name): finite(each, digits) for name, each in value.items()}
        case list() | tuple():
            return [finite(each, digits) for each in value]
    return finite(vars(value), digits) if is_dataclass(value) else value


def estimate(found: Estimate | None) -> Estimate | None:
    """For a document: null where its number is none."""
    return found if found is not None and math.isfinite(found.estimate) else None


def configuration_keys(found: Configuration, names: Iterable[str] = _OF_A_CONFIGURATION) -> dict[str, Any]:
    """What a document of a row begins with: the configuration's key, and what it is; `ddp` is left to the caller."""
    return {"configuration": found.key, **{name: getattr(found, name) for name in names}}


def picked(noun: object, *names: str, **renamed: str) -> dict[str, Any]:
    """A noun's attributes under their own names and under others; each None where the noun is missing."""
    return {
        key: noun and getattr(noun, name) for key, name in {**dict(zip(names, names, strict=True)), **renamed}.items()
    }


def payload(**content: Any) -> dict[str, Any]:
    """A document of plain JSON types only, from what it holds by name."""
    return {name: finite(value) for name, value in content.items()}


def as_csv(rows: Sequence[Mapping[str, Any]], digits: int | None = None) -> str:
    """Rows as CSV text; a column that some rows lack is empty there. Arguments as for `finite`."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([names] if names else [])
    writer.writerows([_cell(row.get(name), digits) for name in names] for row in rows)
    return text.getvalue()


def _row(row: Row) -> dict[str, Any]:
    """A row as itself, its configuration unfolded."""
    found = {name: value for name, value in vars(row).items() if name != "configuration"}
    return {**configuration_keys(row.configuration), **found, "ddp": row.configuration.ddp}


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
