"""Studies as one page that needs nothing but a browser."""

from bench.analysis.report import Report
from reports.page.layout import html


def render(report: Report) -> dict[str, str]:
    """One `.html` file."""
    return {".html": html(report)}
