"""Charts as blocks of a page; in place of one that has nothing to show, why."""

from collections.abc import Iterable, Iterator

from bench.analysis.report import Report, StudyReport
from reports import figures
from reports.figures.chart import Chart
from reports.page.blocks import Block, Prose


def of_study(section: str, report: StudyReport, suffix: str) -> tuple[Block, ...]:
    """The charts of one study in a section."""
    return tuple(_blocks(figures.of_study(section, report, suffix)))


def of_several(report: Report) -> tuple[Block, ...]:
    """The charts that show several studies in one."""
    return tuple(_blocks(figures.of_several(report)))


def _blocks(found: Iterable[Chart | str]) -> Iterator[Block]:
    for each in found:
        if isinstance(each, str):
            text = each
        else:
            yield each
            text = each.remark
        if text:
            yield Prose(text=text)
