"""The sections of a page in the order of reading. One that has nothing to show says why in a line."""

from collections.abc import Callable, Iterator, Sequence

from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Study
from reports.figures import selecting as figures
from reports.figures.facts import share_of
from reports.page import closing, learning, opening
from reports.page.blocks import Apart, Block, Figure, Grid, Head, Page, Points, Prose, Section
from reports.page.comparing import compared, side_by_side
from reports.scaling import laws
from reports.scaling import table as model
from reports.scaling.sentence import is_invalid, is_suspect, sentence
from reports.text import fmt, names


def page(report: Report) -> Page:
    """The whole page of one or several studies."""
    studies = report.studies
    return Page(
        title=report.title or opening.title(studies),
        kicker=opening.kicker(studies),
        verdicts=tuple((opening.heading(told, studies), sentence(told.study)) for told in studies),
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
        found = [(told, make(told, f"-{number}")) for number, told in enumerate(studies, start=1)]
        return tuple(Apart(heading=opening.heading(told, studies), blocks=blocks) for told, blocks in found if blocks)

    if len(studies) > 1:
        yield side_by_side(report)
    yield Section(key="results", title="Results", blocks=each(results))
    if report.comparison is not None:
        yield compared(report.comparison)
    scaling = each(_scaling)
    yield Section(key="speedup", title="Speedup and efficiency", blocks=scaling)
    yield Section(key="time", title="Where the time goes", blocks=each(_time))
    yield Section(key="steady", title="Is it steady?", blocks=each(_steady))
    yield from learning.sections(report, each)
    yield Section(key="energy", title="Energy", blocks=each(_energy))
    yield Section(key="limits", title="Limits", blocks=each(_limits))
    yield from closing.sections(report, each)


_DETAIL = {"batch_per_rank", "step_ms", "epoch_s", "data_wait", "communication", "peak_memory_bytes", "mfu"}
_OF_BOTH = {"strategy", "ranks", "nodes", "cores_per_rank"}


def results(told: StudyReport, key: str) -> tuple[Block, ...]:
    """The table of the terminal, digit for digit, in two that fit a page, and what stands under it."""
    table = model.build(told.study)
    main = [column for column in table.columns if column.key not in _DETAIL]
    detail = [column for column in table.columns if column.key in _DETAIL | _OF_BOTH]
    failures = _failures(told)
    return (
        _grid(f"table{key}", f"{figures.setup_of(told.study)}; {' · '.join(table.title[-1])}.", main, told),
        *(
            (_grid(f"detail{key}", f"More of each row; {figures.setup_of(told.study)}.", detail, told),)
            if len(detail) > len(_OF_BOTH & {column.key for column in detail})
            else ()
        ),
        *((Prose(text=failures),) if failures else ()),
        Points(items=tuple(note.text for note in table.footnotes), is_quiet=True),
    )


def _grid(key: str, caption: str, columns: Sequence[model.Column], told: StudyReport) -> Grid:
    return Grid(
        key=key,
        caption=caption,
        heads=tuple(Head(text=column.header, is_number=column.align != "left") for column in columns),
        rows=tuple(zip(*(column.cells for column in columns), strict=True)),
        marked=tuple(number for number, row in enumerate(told.study.rows) if row.is_baseline),
        can_copy=True,
    )


def _failures(told: StudyReport) -> str:
    """Launches that gave no number, counted and by status; no average has them."""
    failed = sum(row.launches_failed for row in told.study.rows)
    if not failed:
        return ""
    kinds = {each.status for each in told.launches if each.rate_sps is None and each.status not in {"ok", "suspect"}}
    total = failed + sum(row.launches for row in told.study.rows)
    how = f" ({fmt.listed(sorted(kinds))})" if kinds else ""
    return f"{failed} of {fmt.count(total, 'launch')} gave no number{how}: counted here, averaged nowhere."


def _scaling(told: StudyReport, key: str) -> tuple[Block, ...]:
    speedup, efficiency = figures.speedup(told, key), figures.efficiency(told, key)
    rates = figures.rates(told, key)
    blocks: list[Block] = []
    if speedup is not None:
        law = f"; the grey band is {fmt.listed(each.label for each in speedup.envelopes)}" if speedup.envelopes else ""
        caption = (
            f"Speedup over {speedup.baseline}; {speedup.setup}. Dots are single launches, bars and bands 95 % "
            f"intervals over {fmt.count(told.study.title.rounds, 'round')}, the dashed line is ideal{law}."
            f"{_suspects(told.study)}"
        )
        blocks.append(Figure(chart=speedup, caption=caption, wide=efficiency is None))
    if efficiency is not None:
        caption = (
            f"Efficiency: speedup over the multiple of the baseline's {efficiency.resource}; {efficiency.setup}."
            f"{_suspects(told.study)}"
        )
        blocks.append(Figure(chart=efficiency, caption=caption, wide=speedup is None))
    if speedup is None:
        blocks.append(Prose(text=f"No speedup to draw: {_why_no_speedup(told.study)}."))
    if rates is not None:
        n = fmt.listed(str(each) for each in sorted({row.launches for row in told.study.rows if row.launches}))
        caption = f"Samples per second over all ranks, {rates.setup}; dots are single launches, n = {n}."
        blocks.append(Figure(chart=rates, caption=caption))
    if explained := _above_one(told.study):
        blocks.append(Prose(text=explained))
    return tuple(blocks)


def _suspects(study: Study) -> str:
    """A mark in a chart says nothing of whether it may be trusted."""
    found = [
        names.phrase(row, study.rows)
        for row in study.rows
        if is_suspect(row) and (row.is_baseline or row.speedup is not None)
    ]
    return f" Suspect, drawn all the same: {fmt.listed(found)}." if found else ""


def _above_one(study: Study) -> str:
    """More than the hardware added wants an explanation, not applause."""
    above = [
        names.phrase(row, study.rows)
        for row in study.rows
        if row.efficiency is not None and row.efficiency.estimate > 1 and not row.is_baseline and not is_invalid(row)
    ]
    if not above:
        return ""
    lows = [row.efficiency.low for row in study.rows if row.efficiency is not None and row.efficiency.estimate > 1]
    doubt = "" if all(low is not None and low > 1 for low in lows) else " By these launches it may also be chance."
    return (
        f"{fmt.listed(above)}: more than 100 % efficient. Hardware cannot give more than was added: a working set "
        "that "
        f"fits a cache once it is divided, a baseline held back by memory or power, or batches that differ.{doubt}"
    )


def _why_no_speedup(study: Study) -> str:
    base = study.baseline
    if len(study.rows) == 1:
        return "one configuration was run"
    if base is None:
        return "no baseline was run"
    if base.throughput is None or is_invalid(base):
        what = "is INVALID" if is_invalid(base) else "has no number to divide by"
        return f"the baseline, {names.phrase(base, study.rows)}, {what}"
    return "no other row may be held against the baseline"


def _time(told: StudyReport, key: str) -> tuple[Block, ...]:
    chart = figures.step_parts(told, key)
    if chart is None:
        return (Prose(text="No row has timed steps that may be divided: none ran, or all that did are INVALID."),)
    return (
        Figure(
            chart=chart,
            caption=f"The median step in parts that add up to it; {chart.setup}. Communication is what the compute "
            "does "
            "not hide, from steps without it, timed after the window. The rest is what remains: forward, "
            "backward, optimizer and copies, which are not timed apart.",
        ),
    )


def _steady(told: StudyReport, key: str) -> tuple[Block, ...]:
    chart = figures.steadiness(told, key)
    if chart is None:
        return (Prose(text="No launch left step times."),)
    some = [each for each in told.traces if len(each.traces) < each.launches]
    few = f" Of each row at most {max(len(each.traces) for each in some)} launches, spread evenly." if some else ""
    most = max((row.cut_steps for row in told.study.rows), default=0)
    cut = f", and up to {fmt.count(most, 'step')} cut as not yet steady" if most else ""
    return (
        Figure(
            chart=chart,
            caption=f"Each line is one launch, the slowest rank of each step; {chart.setup}. Shaded: warm-up{cut}. "
            "Triangles at the edge: longer steps. Long launches are drawn in stretches: "
            f"the median of each as a line, its longest step as a dot.{few}",
        ),
    )


def _energy(told: StudyReport, key: str) -> tuple[Block, ...]:
    chart = figures.energy(told, key)
    if chart is None:
        why = dict.fromkeys(fmt.clean(each.reason) for each in told.energy if each.reason)
        return (Prose(text=f"Not measured here: {'; '.join(why) or 'no row has a number'}."),)
    return (Figure(chart=chart, caption=f"Joules per sample over all devices of a row; {chart.setup}."),)


def _limits(told: StudyReport, key: str) -> tuple[Block, ...]:
    chart = figures.limits(told, key)
    blocks: list[Block] = []
    if chart is not None:
        caption = (
            f"Counted operations (convolutions, products of matrices, attention; forward and backward) a second, "
            "beneath "
            f"what the hardware can do; {chart.setup}."
        )
        blocks.append(Figure(chart=chart, caption=caption))
        if any(share > 1 for row in chart.rows for each in row.ceilings if (share := share_of(row, each)) is not None):
            blocks.append(
                Prose(
                    text="More than 100 % of a measured ceiling is no feat: other programs held the ceiling back when "
                    "it was measured, or the libraries need fewer operations for a convolution than the formula counts "
                    "(Winograd)."
                )
            )
    else:
        blocks.append(
            Prose(
                text="No ceiling to draw: this device has no published peak in the table, and before the study none "
                "was measured (bench dna --measure) for a row that uses all cores of the machine, or a device that it "
                "was measured on."
            )
        )
    blocks += [Prose(text=laws.sentence(law)) for law in told.study.laws]
    if told.study.no_law:
        blocks.append(
            Prose(text=f"No scaling law is shown, and nothing is extrapolated: {told.study.no_law}.", is_quiet=True)
        )
    return tuple(blocks)
