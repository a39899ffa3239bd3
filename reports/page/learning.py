"""Did every row learn the same? Curves, classes, confusion and the learning rate."""

from collections.abc import Callable, Iterator

from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Estimate, Study
from reports.learning import table as beside
from reports.page.blocks import Block, Grid, Points, Prose, Section, charts_of_study, heads
from reports.text import fmt, names

Each = Callable[[Callable[[StudyReport, str], tuple[Block, ...]]], tuple[Block, ...]]


def sections(report: Report, each: Each) -> Iterator[Section]:
    """Those of training: absent, but for a line, where nothing was evaluated."""
    trained = [study for study in report.studies if study.learned]
    if not trained:
        yield Section(
            key="learning",
            title="Learning",
            blocks=(Prose(text="Nothing was evaluated: --epochs trains whole epochs and evaluates each."),),
        )
        return
    several = any(len(study.learned) > 1 for study in trained)
    yield Section(key="learning", title="Same learning?" if several else "Learning", blocks=each(_curves))
    if any(one.study.published or one.study.targets for one in report.studies):
        yield Section(key="published", title="Measured beside published", blocks=each(_published))
    if any(study.classes for study in trained):
        yield Section(key="classes", title="Class by class", blocks=each(_classes))
    yield Section(key="rate", title="Learning rate", blocks=each(_rate))


def _curves(report: StudyReport, suffix: str) -> tuple[Block, ...]:
    finals = (_finals(report, suffix),) if report.learned else ()
    return (*charts_of_study("learning", report, suffix), *finals)


def _published(report: StudyReport, suffix: str) -> tuple[Block, ...]:
    """What others reported of the same training, what was measured, and in what the two runs differ."""
    study = report.study
    blocks: list[Block] = []
    if study.published:
        columns = beside.columns(study.published)
        blocks.append(
            Grid.of(
                columns,
                key=f"published{suffix}",
                caption=f"Measured beside published; {names.setup(study)}. A difference is of points or units, "
                "with its 95 % interval where there are enough launches; what sets the runs apart is named, never "
                "corrected for.",
            )
        )
    if sentences := beside.closing(study):
        blocks.append(Points(items=sentences))
    return tuple(blocks)


def _finals(report: StudyReport, suffix: str) -> Grid:
    """The last epoch of every row, with its difference to the baseline."""
    study = report.study
    named = names.of_rows(study)
    found = {row.key: row for row in study.rows}
    rows = []
    for each in report.learned:
        row = found[each.configuration]
        last = row.accuracy  # of each launch's own last epoch, which a curve of several need not reach
        if last is None:
            continue
        rows.append(
            (
                named[each.configuration],
                fmt.number(row.configuration.batch_global),
                fmt.number(last.epoch),
                f"{fmt.percent(each.final_top1.estimate, 2)} {fmt.interval(each.final_top1, 100)}".rstrip(),
                fmt.percent(last.top5, 2),
                fmt.number(last.loss),
                f"{fmt.percent(last.best_top1, 2)} ({last.best_epoch})",
                fmt.MISSING if each.gap is None else points(each.gap),
                fmt.number(each.train_s),
                fmt.number(each.launches),
            )
        )
    numbers = ("global batch", "epochs", f"top-1 [95{fmt.NARROW}%]", "top-5", "loss", "best (epoch)")
    return Grid(
        key=f"learned{suffix}",
        caption=f"What each row had learned after its last epoch; {names.setup(study)}. {_seeds(study)}",
        heads=heads(("row",), (*numbers, "points from baseline", "seconds", "n")),
        rows=tuple(rows),
    )


def _seeds(study: Study) -> str:
    """Whether the spread of the launches is one of seeds."""
    seeds = study.title.seeds
    if len(seeds) > 1:
        return f"The launches have {len(seeds)} seeds."
    return (
        f"All launches share one seed ({study.title.seed}): their spread is that of the arithmetic, and another seed "
        "may differ by more."
    )


def points(difference: Estimate) -> str:
    """A difference of shares in points with its sign, e.g. `-1.39 [-2.5, -0.3]`."""
    sign = "+" if difference.estimate > 0 else ""
    return f"{sign}{fmt.number(100 * difference.estimate, 2)} {fmt.interval(difference, 100)}".rstrip()


def _classes(report: StudyReport, suffix: str) -> tuple[Block, ...]:
    """The baseline's classes in full; of every other row the same would be said again, so it is in the data."""
    if not report.classes:
        return ()
    recall, confusion = (charts_of_study(section, report, suffix) for section in ("classes", "confusion"))
    return (*recall, _table(report, suffix), *confusion)


def _table(report: StudyReport, suffix: str) -> Grid:
    first = report.classes[0]
    rows = [
        (fmt.clean(one.name), *map(fmt.percent, (one.precision, one.recall, one.f1)), fmt.number(one.support))
        for one in first.classes
    ]
    return Grid(
        key=f"class-table{suffix}",
        caption=f"Each class after epoch {first.epoch}; {names.setup(report.study)}.",
        heads=heads(("class",), ("precision", "recall", "F1", "samples")),
        rows=tuple(rows),
    )


def _rate(report: StudyReport, suffix: str) -> tuple[Block, ...]:
    return charts_of_study("rate", report, suffix)
