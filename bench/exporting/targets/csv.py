"""CSV: a folder of tables for a spreadsheet or a script, with the report and a classification report as text."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.exporting import tables
from bench.exporting.files import drafted
from bench.exporting.record import Record
from reports.text import fmt

NEEDS: Mapping[str, str] = {}

_TABLES = (
    tables.rows,
    tables.settings,
    tables.launches,
    tables.epochs,
    tables.steps,
    tables.classes,
    tables.confusion,
    tables.fingerprints,
)


def write(record: Record, folder: Path, progress: Callable[[str], None]) -> list[Path]:
    """`folder/NAME/*.csv`, one file a table that has rows; numbers are not rounded, missing ones are empty."""
    texts = {"report.md": record.report}
    for table in _TABLES:
        progress(table.__name__)
        if rows := table(record):
            texts[f"{table.__name__}.csv"] = as_csv(rows)
    texts |= {
        f"classification-{run.short}.txt": tables.classification_report(run) for run in record.runs if run.classes
    }
    final = folder / record.name
    with drafted(final) as draft:
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8", newline="\n")
    return [final / name for name in texts]


def opened(record: Record, folder: Path) -> str:
    return f"the tables are in {folder / record.name}"


def as_csv(rows: tables.Rows) -> str:
    """Rows as CSV text; a column that some rows lack is empty there."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Empty for missing, true and false and what is no plain value as in JSON."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, str):
        return fmt.cell(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else json.dumps(value)
