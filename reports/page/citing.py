"""How to cite a study."""

import re

from bench.analysis.report import StudyReport
from reports.text import fmt
from reports.text.latex import escape


def bibtex(report: StudyReport) -> str:
    """A BibTeX entry; the author is for the reader to fill in, because a fingerprint knows no names."""
    study = report.study
    run = study.title
    version = next((card.software["scaling-bench"] for card in report.cards if "scaling-bench" in card.software), "")
    ids = ", ".join(
        f"{name} {each}" for name, each in (("hardware", study.hw_id), ("software", study.sw_id)) if each is not None
    )
    fields = {
        "author": "{}",
        "title": f"{{{escape(fmt.clean(run.model))} on {escape(fmt.clean(run.data))}, {run.scaling} scaling}}",
        "year": f"{{{report.created_at[:4]}}}" if report.created_at else "{}",
        "howpublished": f"{{Measured with scaling-bench {escape(version)}}}".replace(" }", "}"),
        "note": f"{{Study {escape(study.study_id)}; {ids}}}",
    }
    lines = [f"  {name:<12} = {value}," for name, value in fields.items()]
    key = re.sub(r"[^A-Za-z0-9-]+", "-", study.study_id)
    return "\n".join([f"@misc{{bench-{key},", *lines, "}"])
