"""Studies as one JSON document."""

from bench.analysis.report import Report
from reports.data.document import as_text


def render(report: Report) -> dict[str, str]:
    """One `.json` file."""
    return {".json": as_text(report)}
