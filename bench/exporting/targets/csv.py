"""CSV: a folder of tables for a spreadsheet or a script, with the report and a classification report as text."""

from collections.abc import Callable, Mapping
from pathlib import Path

from bench.exporting import tables
from bench.exporting.files import drafted, write_texts
from bench.exporting.record import Record
from reports.text.plain import as_csv

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
        write_texts(draft, texts)
    return [final / name for name in texts]


def opened(record: Record, folder: Path) -> str:
    return f"the tables are in {folder / record.name}"
