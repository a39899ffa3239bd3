"""A new chart is one new file: the page's example, dropped in, stands in its section and among the files."""

import sys
from pathlib import Path

import pytest

from bench.analysis.report import Report
from reports import figures, formats
from reports.page.layout import html
from tests.reports import fabricated_studies as studies
from tests.reports.page import fabricated_reports as reports

PAGE = (Path(__file__).parents[3] / "docs" / "extending.md").read_text()
CHART = PAGE.partition("```python\n# failed_launches.py\n")[2].partition("```")[0]


@pytest.fixture
def _dropped(tmp_path, monkeypatch):
    (tmp_path / "failed_launches.py").write_text(CHART)
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path)])
    yield
    sys.modules.pop("reports.figures.failed_launches", None)


def report(study):
    return Report(studies=(reports.whole(study),))


@pytest.mark.usefixtures("_dropped")
def test_a_file_with_a_chart_is_all_that_a_page_needs_to_show_it():
    page = html(report(studies.failed_rank()))
    steady = page[page.index('<section id="steady"') : page.index('<section id="learning"')]
    assert steady.index('id="figure-steady"') < steady.index('id="figure-failed"')
    assert "Launches that gave no number. lenet-large" in steady, "its alternative text"
    assert '<th scope="row">ddp on 2 ranks</th><td>6</td>' in steady, "the table of its data"
    assert "None failed." in html(report(studies.good())), "and why there is none, where there is none"


@pytest.mark.usefixtures("_dropped")
def test_it_is_among_the_files_for_a_paper_too(monkeypatch):
    monkeypatch.setattr("reports.figures.svg.files.render", lambda chart: {".txt": chart.alt_text().encode()})
    found = formats.find("figures").render(report(studies.failed_rank()))
    assert b"ddp on 2 ranks: 6 launches." in found["-failed.txt"]


def test_every_chart_has_a_name_of_its_own_and_stands_in_a_section_or_shows_several_studies():
    names = [each.name for each in figures.charts()]
    assert len(names) == len(set(names)) > 10
    assert [each.name for each in figures.charts() if not each.section] == ["baselines"]
