"""Did every row learn the same? Curves, classes, confusion and the learning rate."""

from collections.abc import Callable, Iterator

from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Estimate, Study
from reports.figures import selecting as figures
from reports.figures import selecting_learned as learning_figures
from reports.learning import table as beside
from reports.page.blocks import Block, Figure, Grid, Head, Points, Prose, Section
from reports.text import fmt, names

Each = Callable[[Callable[[StudyReport, str], tuple[Block, ...]]], tuple[Block, ...]]


def sections(report: Report, each: Each) -> Iterator[Section]:
    """Those of training: absent, but for a line, where nothing was evaluated."""
    trained = [told for told in report.studies if told.learned]
    if not trained:
        yield Section(
            key="learning",
            title="Learning",
            blocks=(Prose(text="Nothing was evaluated: --epochs trains whole epochs and evaluates each."),),
        )
        return
    several = any(len(told.learned) > 1 for told in trained)
    yield Section(key="learning", title="Same learning?" if several else "Learning", blocks=each(_curves))
    if any(told.study.published or told.study.targets for told in report.studies):
        yield Section(key="published", title="Measured beside published", blocks=each(_published))
    if any(told.classes for told in trained):
        yield Section(key="classes", title="Class by class", blocks=each(_classes))
    yield Section(key="rate", title="Learning rate", blocks=each(_rate))


def _curves(told: StudyReport, key: str) -> tuple[Block, ...]:
    chart = learning_figures.learning([told], key, published_top1(told.study))
    if chart is None:
        return (Prose(text="Nothing was evaluated in this study."),) if key else ()
    study = told.study
    batches = fmt.listed(
        sorted({fmt.number(row.configuration.batch_global) for row in study.rows if row.accuracy is not None}, key=len)
    )
    caption = (
        f"Loss and top-1 accuracy against samples seen and against seconds of training; {chart.setup}; global batch "
        f"{batches}, learning rate {told.facts.get('learning rate', 'as given')}. Means over launches."
    )
    return (Figure(chart=chart, caption=caption), _finals(told, key))


def published_top1(study: Study) -> float | None:
    """The accuracy that others reported of the whole run, as a share; None where none is quoted."""
    found = [
        learning_figures.share_of(each.published) for each in beside.headline(study) if each.published.metric == "top1"
    ]
    return found[0] if found else None


def _published(told: StudyReport, key: str) -> tuple[Block, ...]:
    """What others reported of the same training, what was measured, and in what the two runs differ."""
    study = told.study
    blocks: list[Block] = []
    if study.published:
        columns = beside.columns(study.published)
        blocks.append(
            Grid(
                key=f"published{key}",
                caption=f"Measured beside published; {figures.setup_of(study)}. A difference is of points or units, "
                "with "
                "its 95 % interval where there are enough launches; what sets the runs apart is named, never "
                "corrected for.",
                heads=tuple(Head(text=each.header, is_number=each.align != "left") for each in columns),
                rows=tuple(zip(*(each.cells for each in columns), strict=True)),
                can_copy=True,
            )
        )
    if sentences := beside.closing(study):
        blocks.append(Points(items=sentences))
    return tuple(blocks)


def _finals(told: StudyReport, key: str) -> Grid:
    """The last epoch of every row, with its difference to the baseline."""
    study = told.study
    named = {row.key: names.phrase(row, study.rows) for row in study.rows}
    found = {row.key: row for row in study.rows}
    rows = []
    for each in told.learned:
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
    heads = (
        Head(text="row", is_number=False),
        *(
            Head(text=text)
            for text in (
                "global batch",
                "epochs",
                f"top-1 [95{fmt.NARROW}%]",
                "top-5",
                "loss",
                "best (epoch)",
                "points from baseline",
                "seconds",
                "n",
            )
        ),
    )
    return Grid(
        key=f"learned{key}",
        caption=f"What each row had learned after its last epoch; {figures.setup_of(study)}. {_seeds(study)}",
        heads=heads,
        rows=tuple(rows),
        can_copy=True,
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


def _classes(told: StudyReport, key: str) -> tuple[Block, ...]:
    """The baseline's classes in full; of every other row the same would be said again, so it is in the data."""
    chart = learning_figures.classes(told, key)
    raw, shares = (learning_figures.confusion(told, key, normalised=each) for each in (False, True))
    if chart is None or raw is None or shares is None:
        return ()
    first = told.classes[0]
    pooled = f", {fmt.count(first.launches, 'launch')} pooled" if first.launches > 1 else ""
    others = f" The other {len(told.classes) - 1} rows are in the data below." if len(told.classes) > 1 else ""
    return (
        Figure(chart=chart, caption=f"Share of each class that was recognised; {chart.setup}{pooled}.{others}"),
        _table(told, key),
        Figure(chart=raw, caption=f"How often each class (row) was called which (column); {raw.setup}.", wide=False),
        Figure(chart=shares, caption=f"The same as shares of each class; {shares.setup}.", wide=False),
    )


def _table(told: StudyReport, key: str) -> Grid:
    first = told.classes[0]
    rows = [
        (
            fmt.clean(one.name),
            fmt.percent(one.precision),
            fmt.percent(one.recall),
            fmt.percent(one.f1),
            fmt.number(one.support),
        )
        for one in first.classes
    ]
    heads = (
        Head(text="class", is_number=False),
        *(Head(text=text) for text in ("precision", "recall", "F1", "samples")),
    )
    return Grid(
        key=f"class-table{key}",
        caption=f"Each class after epoch {first.epoch}; {figures.setup_of(told.study)}.",
        heads=heads,
        rows=tuple(rows),
        can_copy=True,
    )


def _rate(told: StudyReport, key: str) -> tuple[Block, ...]:
    chart = learning_figures.learning_rate(told, key)
    if chart is None:
        return ()
    rates = {rate for line in chart.lines for rate in line.learning_rate}
    if len(rates) == 1:
        return (Prose(text=f"Constant at {next(iter(rates)):.4g} in every epoch of every row."),)
    return (Figure(chart=chart, caption=f"Learning rate at the end of each epoch; {chart.setup}."),)
