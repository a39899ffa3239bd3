"""Charts, one file each: as SVG inside a page, and as SVG, PDF and PNG files with alternative text.

A new chart is one new file here: a subclass of `chart.Chart` with a name, and the section of the page it stands in.
"""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from bench.analysis.report import Report, StudyReport
from reports.figures.chart import Chart


def charts() -> tuple[type[Chart], ...]:
    """Every chart there is, in the order in which they stand in their sections."""
    modules = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__) if not each.ispkg]
    found = {
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Chart) and hasattr(each, "name")
    }
    return tuple(sorted(found, key=lambda each: (each.place, each.name)))


def of_study(section: str, report: StudyReport, suffix: str) -> Iterator[Chart | str]:
    """The charts of one study in a section; in place of one that has nothing to show, why."""
    found = (each.select(report) for each in charts() if each.section == section)
    return (each if isinstance(each, str) else replace(each, suffix=suffix) for each in found)


def of_several(report: Report) -> Iterator[Chart | str]:
    """The charts that show several studies in one."""
    return (each.together(report) for each in charts())
