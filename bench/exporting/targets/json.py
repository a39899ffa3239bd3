"""JSON: the whole study in one document."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.exporting import tables
from bench.exporting.files import drafted, write_texts
from bench.exporting.record import Record, Run, ids
from reports.text.plain import finite

NEEDS: Mapping[str, str] = {}

SCHEMA = "bench.record/1"


def write(record: Record, folder: Path, progress: Callable[[str], None]) -> list[Path]:
    """`folder/NAME/NAME.json`."""
    progress("the document")
    final = folder / record.name
    text = json.dumps(document(record), indent=1, allow_nan=False) + "\n"
    name = f"{record.name}.json"
    with drafted(final) as draft:
        write_texts(draft, {name: text})
    return [final / name]


def opened(record: Record, folder: Path) -> str:
    return f"the document is {folder / record.name / record.name}.json"


def document(record: Record) -> Any:
    """Everything about a study; missing numbers are null, never NaN."""
    return finite(
        {
            "schema": SCHEMA,
            "study": record.plan.study_id,
            "method_version": record.study.method_version,
            "command": record.plan.command,
            "settings": tables.settings(record),
            "plan": record.plan,
            "findings": record.study,
            "launches": [_launch(run) for run in record.runs],
            "fingerprints": tables.fingerprints(record),
            "report": record.report,
        }
    )


def _launch(run: Run) -> dict[str, Any]:
    return {
        "launch": run.launch.launch_id,
        "row": asdict(run.launch) | {"unavailable": json.loads(run.launch.unavailable)},
        "dna": ids(run.dna),
        "epochs": [{"epoch": each.index, **each.numbers} for each in run.epochs],
        "steps": [{"step": each.index, **each.numbers} for each in run.steps],
        "classes": [tables.scores(each) | {"confusion": each.confusion} for each in run.classes],
    }
