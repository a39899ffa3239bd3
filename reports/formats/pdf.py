"""The page as PDF."""

from bench.analysis.report import Report
from reports.page import printing
from reports.page.layout import html


def render(report: Report) -> dict[str, bytes]:
    """One `.pdf` file.

    Raises:
        CannotError: no browser to print with.
    """
    return {".pdf": printing.pdf(html(report, unfolded=True), report.studies[0].created_at)}
