"""Several studies in one page: what each came to, and one compared with another."""

from bench.analysis.comparing.nouns import Comparison
from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Row
from reports.comparing import comparison
from reports.page.blocks import Block, Grid, Points, Prose, Section, charts_of_several, heads
from reports.scaling.sentence import headlines
from reports.text import fmt, names

_HEADS = (
    *heads(("study", "model, data", "scaling", "device"), ("baseline, samples/s",)),
    *heads(("row",), ("samples/s", f"speedup [95{fmt.NARROW}%]", "efficiency", "acc top-1")),
)
_MAY_BE_SAME = {"model, data", "scaling", "device"}  # then said once, so that the numbers fit beside each other


def side_by_side(report: Report) -> Section:
    """Every study in a line: its base rate, the row that it is about, what that came to."""
    lines = [_line(number, each) for number, each in enumerate(report.studies, start=1)]
    columns = list(zip(_HEADS, *lines, strict=True))
    said_once = [
        f"{head.text} {cells[0]}" for head, *cells in columns if head.text in _MAY_BE_SAME and len(set(cells)) == 1
    ]
    shown = [
        (head, *cells)
        for head, *cells in columns
        if set(cells) != {fmt.MISSING} and not (head.text in _MAY_BE_SAME and len(set(cells)) == 1)
    ]
    same = f" The same in all: {'; '.join(said_once)}." if said_once else ""
    first, *rows = zip(*shown, strict=True)
    grid = Grid(
        key="studies",
        caption="One line a study. Each speedup is over the baseline of its own study; they are never multiplied or "
        f"averaged.{same}",
        heads=first,
        rows=tuple(rows),
    )
    blocks: list[Block] = [grid, *charts_of_several(report)]
    measured = [row for each in report.studies for row in each.study.rows if row.throughput is not None]
    kinds = {row.configuration.device for row in measured}
    if len(kinds) > 1:
        blocks.append(
            Prose(
                text=f"Devices of different kinds ({fmt.listed(sorted(kinds))}) share no efficiency: their rates "
                "stand side by side, and nothing is divided.",
                is_quiet=True,
            )
        )
    methods = {each.study.method_version for each in report.studies}
    if len(methods) > 1:
        blocks.append(
            Prose(
                text=f"Measured by different methods ({', '.join(map(str, sorted(methods)))}): numbers may have "
                "changed between them, so no ratio across these studies is formed."
            )
        )
    return Section(key="side-by-side", title="Side by side", blocks=tuple(blocks))


def compared(found: Comparison) -> Section:
    """One study compared with another, in the words of `bench compare`."""
    columns = comparison.columns_of(found)
    blocks: list[Block] = [Prose(text=comparison.sentence(found))]
    if columns:
        blocks.append(Grid.of(columns, key="compared", caption=comparison.caption(found)))
    notes = comparison.notes_of(found)
    if notes:
        blocks.append(Points(items=tuple(fmt.clean(each) for each in notes), is_quiet=True))
    if found.dna:
        blocks.append(
            Points(
                items=tuple(
                    f"{one.field}: {fmt.clean(one.a or 'not there')[:80]} → {fmt.clean(one.b or 'not there')[:80]} "
                    f"({one.effect})"
                    for one in found.dna
                    if not one.field.startswith("numeric.")
                )
            )
        )
    return Section(key="compared", title="Compared", blocks=tuple(blocks))


def _line(number: int, report: StudyReport) -> tuple[str, ...]:
    study, base = report.study, report.study.baseline
    row: Row | None = next((each for each in headlines(study) if not each.is_invalid), None)
    sound = base is not None and not base.is_invalid
    learned = next((each.accuracy for each in (row, base) if each is not None and each.accuracy is not None), None)
    return (
        f"{number}. {study.study_id}",
        f"{fmt.clean(study.title.model)}, {fmt.clean(study.title.data)}",
        f"{study.title.scaling}, batch {fmt.number(study.title.batch)}",
        fmt.clean(study.title.device),
        fmt.with_interval(base.throughput) if base is not None and sound else fmt.MISSING,
        names.phrase(row, study.rows) if row is not None else fmt.MISSING,
        fmt.point(row.throughput) if row is not None else fmt.MISSING,
        fmt.with_interval(row.speedup) if row is not None else fmt.MISSING,
        fmt.percent_point(row.efficiency) if row is not None else fmt.MISSING,
        fmt.percent(learned.top1, 2) if learned is not None else fmt.MISSING,
    )
