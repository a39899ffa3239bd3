"""Studies as CSV for a spreadsheet or a script: one row per configuration, unrounded numbers, empty for missing."""

from bench.analysis.report import Report
from reports.data.tables import comparison_as_csv, rows_as_csv


def render(report: Report) -> dict[str, str]:
    """One `.csv` file, whatever the number of studies: every row names its own. A comparison has a file of its own."""
    found = report.comparison
    return {".csv": rows_as_csv(report)} | ({"-compared.csv": comparison_as_csv(found)} if found is not None else {})
