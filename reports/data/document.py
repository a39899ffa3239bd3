"""A report as one JSON document: numbers to twelve digits, missing is null."""

import json
from typing import Any

from bench.analysis.comparing.nouns import Comparison, RowQuantity
from bench.analysis.report import Report, StudyReport
from reports.comparing.document import IN_COMPARISON
from reports.scaling.document import scale_document
from reports.text import fmt
from reports.text.plain import configuration_keys, finite, picked

SCHEMA = "bench.report_data/1"


def document(report: Report) -> dict[str, Any]:
    """Every study with what the page draws of it; of step times, which are long, only how many there are."""
    content: dict[str, Any] = finite(
        {
            "schema": SCHEMA,
            "title": fmt.clean(report.title) or None,
            "anonymous": report.anonymous,
            "studies": [_study(each) for each in report.studies],
            "differences": report.differences,
            "comparison": report.comparison and _comparison(report.comparison),
        },
        digits=12,  # as in the CSV: as many as libraries of mathematics agree on
    )
    return content


def _comparison(found: Comparison) -> dict[str, Any]:
    return {**vars(found), "rows": [_quantity(each) for each in found.rows]}


def _quantity(row: RowQuantity) -> dict[str, Any]:
    found = {name: value for name, value in vars(row).items() if name not in {"configuration", "metric", "unit"}}
    return {**found, **configuration_keys(row.configuration, IN_COMPARISON), "metric": row.metric, "unit": row.unit}


def as_text(report: Report) -> str:
    """The document as the text of a file."""
    text = json.dumps(document(report), indent=1, ensure_ascii=False, allow_nan=False)
    # What acts on a terminal, or turns the direction of text, stands there by its number.
    return "".join(char if char in _SHOWN or char.isprintable() else json.dumps(char)[1:-1] for char in text) + "\n"


_SHOWN = {"\n", fmt.NARROW}


def _study(study_report: StudyReport) -> dict[str, Any]:
    found = scale_document(study_report.study, "", 0)
    kept = {name: value for name, value in found.items() if name not in {"store", "exit", "schema"}}
    return {
        **kept,
        "created_at": study_report.created_at or None,
        "command": study_report.command or None,
        **picked(study_report, facts="facts", all_launches="launches", step_parts="parts"),
        **picked(study_report, "learned", "classes", "energy", "reached"),
        "laws": study_report.study.laws,  # with their envelopes, which the document of `bench scale` leaves out
        **picked(study_report, "cards", "drift"),
    }
