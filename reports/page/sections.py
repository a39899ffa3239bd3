"""The sections of a page in the order of reading. One that has nothing to show says why in a line."""

from collections.abc import Callable, Iterator, Sequence

from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Study
from reports.page import closing, learning, opening
from reports.page.blocks import Apart, Block, Grid, Page, Points, Prose, Section, charts_of_study
from reports.page.comparing import compared, side_by_side
from reports.scaling import table as model
from reports.scaling.sentence import sentence
from reports.text import fmt, names
from reports.text.columns import Column


def page(report: Report) -> Page:
    """The whole page of one or several studies."""
    studies = report.studies
    return Page(
        title=report.title or opening.title(studies),
        kicker=opening.kicker(studies),
        verdicts=tuple((opening.heading(each, studies), sentence(each.study)) for each in studies),
        headlines=opening.headlines(studies[0].study) if len(studies) == 1 else (),
        setup=opening.setup(studies[0].study) if len(studies) == 1 else (),
        sections=tuple(_sections(report)),
        colophon=closing.colophon(report),
    )


def _sections(report: Report) -> Iterator[Section]:
    studies = report.studies

    def each(make: Callable[[StudyReport, str], tuple[Block, ...]]) -> tuple[Block, ...]:
        """The blocks of every study, under its own heading where there are several."""
        if len(studies) == 1:
            return make(studies[0], "")
        found = [(study, make(study, f"-{number}")) for number, study in enumerate(studies, start=1)]
        return tuple(Apart(heading=opening.heading(study, studies), blocks=blocks) for study, blocks in found if blocks)

    def charts(section: str) -> tuple[Block, ...]:
        return each(lambda study, suffix: charts_of_study(section, study, suffix))

    if len(studies) > 1:
        yield side_by_side(report)
    yield Section(key="results", title="Results", blocks=each(results))
    if report.comparison is not None:
        yield compared(report.comparison)
    yield Section(key="speedup", title="Speedup and efficiency", blocks=each(_scaling))
    yield Section(key="time", title="Where the time goes", blocks=charts("time"))
    yield Section(key="steady", title="Is it steady?", blocks=charts("steady"))
    yield from learning.sections(report, each)
    yield Section(key="energy", title="Energy", blocks=charts("energy"))
    yield Section(key="limits", title="Limits", blocks=each(_limits))
    yield from closing.sections(report, each)


_DETAIL = {"batch_per_rank", "step_ms", "epoch_s", "data_wait", "communication", "peak_memory_bytes", "mfu"}
_OF_BOTH = {"strategy", "ranks", "nodes", "cores_per_rank"}


def results(report: StudyReport, suffix: str) -> tuple[Block, ...]:
    """The table of the terminal, digit for digit, in two that fit a page, and what stands under it."""
    table = model.build(report.study)
    main = [column for column in table.columns if column.key not in _DETAIL]
    detail = [column for column in table.columns if column.key in _DETAIL | _OF_BOTH]
    failures = _failures(report)
    return (
        _grid(f"table{suffix}", f"{names.setup(report.study)}; {' · '.join(table.title[-1])}.", main, report),
        *(
            (_grid(f"detail{suffix}", f"More of each row; {names.setup(report.study)}.", detail, report),)
            if len(detail) > len(_OF_BOTH & {column.key for column in detail})
            else ()
        ),
        *((Prose(text=failures),) if failures else ()),
        Points(items=tuple(note.text for note in table.footnotes), is_quiet=True),
    )


def _grid(key: str, caption: str, columns: Sequence[Column], report: StudyReport) -> Grid:
    marked = tuple(number for number, row in enumerate(report.study.rows) if row.is_baseline)
    return Grid.of(columns, key=key, caption=caption, marked=marked)


def _failures(report: StudyReport) -> str:
    """Launches that gave no number, counted and by status; no average has them."""
    failed = sum(row.launches_failed for row in report.study.rows)
    if not failed:
        return ""
    kinds = {each.status for each in report.launches if each.rate_sps is None and each.status not in {"ok", "suspect"}}
    total = failed + sum(row.launches for row in report.study.rows)
    how = f" ({fmt.listed(sorted(kinds))})" if kinds else ""
    return f"{failed} of {fmt.count(total, 'launch')} gave no number{how}: counted here, averaged nowhere."


def _scaling(report: StudyReport, suffix: str) -> tuple[Block, ...]:
    explained = _above_one(report.study)
    return (*charts_of_study("speedup", report, suffix), *((Prose(text=explained),) if explained else ()))


def _above_one(study: Study) -> str:
    """More than the hardware added wants an explanation, not applause."""
    above = [
        names.phrase(row, study.rows)
        for row in study.rows
        if row.efficiency is not None and row.efficiency.estimate > 1 and not row.is_baseline and not row.is_invalid
    ]
    if not above:
        return ""
    lows = [row.efficiency.low for row in study.rows if row.efficiency is not None and row.efficiency.estimate > 1]
    doubt = "" if all(low is not None and low > 1 for low in lows) else " By these launches it may also be chance."
    return (
        f"{fmt.listed(above)}: more than 100 % efficient. Hardware cannot give more than was added: a working set "
        f"that fits a cache once it is divided, a baseline held back by memory or power, or batches that differ.{doubt}"
    )


def _limits(report: StudyReport, suffix: str) -> tuple[Block, ...]:
    study = report.study
    blocks = [*charts_of_study("limits", report, suffix), *(Prose(text=model.law_note(law)) for law in study.laws)]
    if study.no_law:
        why = f"No scaling law is shown, and nothing is extrapolated: {study.no_law}."
        blocks.append(Prose(text=why, is_quiet=True))
    return tuple(blocks)
