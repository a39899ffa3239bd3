"""The charts of the page as files."""

import re

from reports import formats
from reports.figures.svg import files
from reports.page.layout import html
from tests.reports.page import fabricated_reports as reports


def test_every_chart_of_the_page_is_four_files(monkeypatch):
    report = reports.several(reports.trained(), reports.trained())
    monkeypatch.setattr(
        files, "render", lambda chart: {".svg": b"", ".pdf": b"", ".png": b"", ".txt": chart.alt_text()}
    )
    found = formats.find("figures").render(report)
    shown = set(re.findall(r'<figure class="\w+" id="figure-([\w-]+)"', html(report)))
    assert {name.removeprefix("-").rpartition(".")[0] for name in found} == shown
    assert len(found) == 4 * len(shown) > 12
    assert all(text for name, text in found.items() if name.endswith(".txt"))
