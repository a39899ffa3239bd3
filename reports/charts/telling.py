"""A chart in words and as a table: for whoever cannot see it, and for whoever wants the numbers. No matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from bench.analysis.result import Estimate
from reports import words
from reports.charts import data
from reports.charts.palette import MOST


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """What a chart shows, as text; the first column says what a row is."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def describe(chart: data.Chart) -> str:
    """What there is to see, with its numbers, in a few sentences of one paragraph."""
    told = [f"{chart.title}. {chart.setup}.", *_sentences(chart)]
    if chart.absent:
        told.append(f"Not drawn: {'; '.join(chart.absent)}.")
    return " ".join(words.clean(each) for each in told if each)


@singledispatch
def table(chart: data.Chart) -> DataTable:
    """Everything that the chart is drawn from, or the summary that its docstring names."""
    raise TypeError(f"no table for {type(chart).__name__}")


@singledispatch
def _sentences(chart: data.Chart) -> list[str]:
    raise TypeError(f"no description for {type(chart).__name__}")


def launches_of(estimates: Sequence[Estimate]) -> str:
    """How often was measured, e.g. `n = 6` or `n = 5 to 6`."""
    counts = sorted({each.n for each in estimates})
    if not counts:
        return "n = 0"
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def resources_of(value: float) -> str:
    """A count on the axis, e.g. `4`."""
    return words.number(int(value) if value == int(value) else value)


@table.register
def _(chart: data.Speedup) -> DataTable:
    return _scaling_table(chart.lines, chart.resource, "speedup", words.with_interval)


@table.register
def _(chart: data.Efficiency) -> DataTable:
    return _scaling_table(chart.lines, chart.resource, "efficiency", words.percent_with_interval)


def _scaling_table(lines, resource, quantity, told) -> DataTable:  # noqa: ANN001 - see the callers
    rows = tuple(
        (line.label, resources_of(point.resources), told(point.estimate), str(point.estimate.n))
        for line in lines
        for point in line.points
    )
    return DataTable(headers=("line", resource, f"{quantity} [95{words.NARROW}%]", "n"), rows=rows)


@_sentences.register
def _(chart: data.Speedup) -> list[str]:
    told = [f"1 is {chart.baseline}."]
    told += [f"{line.label}: speedup {_along(line, chart.resource, words.point)}." for line in chart.lines]
    last = max((point.resources for line in chart.lines for point in line.points), default=0)
    if last:
        ideal = words.number(last / chart.baseline_resources, 2 if last % chart.baseline_resources else 0)
        told.append(f"Ideal at {resources_of(last)}: {ideal}.")
    told += [f"Shaded: {each.label}, within the measured range." for each in chart.envelopes]
    return told + _too_many([line.label for line in chart.lines])


@_sentences.register
def _(chart: data.Efficiency) -> list[str]:
    told = [f"100{words.NARROW}% is {chart.baseline}."]
    told += [f"{line.label}: {_along(line, chart.resource, words.percent_point)}." for line in chart.lines]
    return told + _too_many([line.label for line in chart.lines])


def _along(line: data.ScalingLine, resource: str, told) -> str:  # noqa: ANN001 - how an estimate is written
    values = words.listed(told(point.estimate) for point in line.points)
    places = words.listed(resources_of(point.resources) for point in line.points)
    return f"{values} at {places} {resource}, {launches_of([point.estimate for point in line.points])}"


def _too_many(labels: Sequence[str]) -> list[str]:
    return [f"In the table only: {words.listed(labels[MOST:])}."] if len(labels) > MOST else []


@table.register
def _(chart: data.StepParts) -> DataTable:
    names = part_names(chart)
    rows = tuple((bar.label, *(_ms(_part(bar, name)) for name in names), _ms(bar.total_ms)) for bar in chart.bars)
    return DataTable(headers=("row", *(f"{name}, ms" for name in names), "step p50, ms"), rows=rows)


@_sentences.register
def _(chart: data.StepParts) -> list[str]:
    told = []
    for bar in chart.bars:
        parts = words.listed(f"{part.name} {_ms(part.ms)}" for part in bar.parts)
        told.append(f"{bar.label}: {parts}, in all {_ms(bar.total_ms)} ms a step (p50).")
    return told


def part_names(chart: data.StepParts) -> tuple[str, ...]:
    """The parts over all bars, in the order in which they first appear."""
    return tuple(dict.fromkeys(part.name for bar in chart.bars for part in bar.parts))


def _part(bar: data.StepBar, name: str) -> float | None:
    found = [part.ms for part in bar.parts if part.name == name]
    return sum(found) if found else None


def _ms(value: float | None) -> str:
    return words.number(value)


@table.register
def _(chart: data.Steadiness) -> DataTable:
    """A row a launch: how many steps, and how long they were."""
    rows = []
    for row in chart.rows:
        for launch in row.launches:
            kept = kept_steps(launch)
            longest = max(kept, default=None)
            rows.append(
                (
                    row.label,
                    launch.launch,
                    str(launch.warmup_steps),
                    str(launch.cut_steps),
                    str(len(kept)),
                    _ms(middle(kept)),
                    _ms(min(kept, default=None)),
                    _ms(longest),
                )
            )
    headers = ("row", "launch", "warm-up", "cut", "kept", "median ms", "shortest ms", "longest ms")
    return DataTable(headers=headers, rows=tuple(rows))


@_sentences.register
def _(chart: data.Steadiness) -> list[str]:
    told = []
    for row in chart.rows:
        kept = [each for launch in row.launches for each in kept_steps(launch)]
        if kept:
            told.append(
                f"{row.label}: {words.count(len(row.launches), 'launch')}, median step {_ms(middle(kept))} ms, "
                f"{_ms(min(kept))} to {_ms(max(kept))} ms after the warm-up."
            )
    return [*told, "Each line is one launch; warm-up and what was cut as not yet steady are shaded."]


def kept_steps(launch: data.LaunchSteps) -> tuple[float, ...]:
    """What counts: neither warm-up nor cut."""
    return launch.step_ms[launch.warmup_steps + launch.cut_steps :]


def middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return None
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


@table.register
def _(chart: data.Learning) -> DataTable:
    headers = ("run", "epoch", "samples", "seconds", "loss train", "loss valid.", "accuracy train", "accuracy valid.")
    rows = tuple(
        (
            curve.label,
            str(epoch),
            words.number(round(samples)),
            words.number(seconds),
            words.number(train_loss, 3),
            words.number(loss, 3),
            words.percent(train_accuracy, 2),
            words.percent(accuracy, 2),
        )
        for curve in chart.curves
        for epoch, (samples, seconds, train_loss, loss, train_accuracy, accuracy) in enumerate(_epochs(curve), start=1)
    )
    return DataTable(headers=headers, rows=rows)


def _epochs(curve: data.LearningCurve):  # noqa: ANN202 - rows of six numbers
    return zip(
        curve.samples,
        curve.seconds,
        curve.train_loss,
        curve.validation_loss,
        curve.train_accuracy,
        curve.validation_accuracy,
        strict=True,
    )


@_sentences.register
def _(chart: data.Learning) -> list[str]:
    told = []
    for curve in chart.curves:
        if curve.samples:
            repeats = f", mean of {words.count(curve.launches, 'launch')}" if curve.launches > 1 else ""
            told.append(
                f"{curve.label}: after {words.count(len(curve.samples), 'epoch')}, "
                f"{words.number(round(curve.samples[-1]))} samples and {words.number(curve.seconds[-1])} s, validation "
                f"accuracy {words.percent(curve.validation_accuracy[-1], 2)} and loss "
                f"{words.number(curve.validation_loss[-1], 3)}{repeats}."
            )
    if chart.published_accuracy is not None:
        told.append(f"Published: {words.percent(chart.published_accuracy, 2)}.")
    return told + _too_many([curve.label for curve in chart.curves])


@table.register
def _(chart: data.LearningRate) -> DataTable:
    rows = tuple(
        (line.label, resources_of(epoch), f"{rate:.4g}")
        for line in chart.lines
        for epoch, rate in zip(line.epochs, line.learning_rate, strict=True)
    )
    return DataTable(headers=("run", "epoch", "learning rate"), rows=rows)


@_sentences.register
def _(chart: data.LearningRate) -> list[str]:
    told = [
        f"{line.label}: from {line.learning_rate[0]:.4g} to {line.learning_rate[-1]:.4g} over "
        f"{words.count(len(line.epochs), 'epoch')}, at most {max(line.learning_rate):.4g}."
        for line in chart.lines
        if line.learning_rate
    ]
    return told + _too_many([line.label for line in chart.lines])


@table.register
def _(chart: data.Classes) -> DataTable:
    has_published = any(each.published is not None for each in chart.classes)
    headers = ("class", "recall", "precision", "F1", "samples") + (("published recall",) if has_published else ())
    rows = tuple(
        (
            each.name,
            words.percent(each.recall),
            words.percent(each.precision),
            words.percent(each.f1),
            words.number(each.support),
        )
        + ((words.percent(each.published),) if has_published else ())
        for each in chart.classes
    )
    return DataTable(headers=headers, rows=rows)


@_sentences.register
def _(chart: data.Classes) -> list[str]:
    ordered = by_recall(chart)
    if not ordered:
        return ["No class has a recall."]
    best, worst = ordered[0], ordered[-1]
    many = f"{words.number(len(chart.classes))} classes: best {best.name} {words.percent(best.recall)}"
    return [f"{many}, worst {worst.name} {words.percent(worst.recall)}."]


def by_recall(chart: data.Classes) -> list[data.ClassBar]:
    """The classes that have a recall, best first; equals by name."""
    return sorted(
        (each for each in chart.classes if each.recall is not None), key=lambda each: (-(each.recall or 0), each.name)
    )


@table.register
def _(chart: data.Confusion) -> DataTable:
    shown = words.percent if chart.normalised else words.number
    rows = tuple((name, *(shown(value) for value in row)) for name, row in zip(chart.names, cells(chart), strict=True))
    return DataTable(headers=("is, called", *chart.names), rows=rows)


def cells(chart: data.Confusion) -> list[list[float | None]] | list[list[int]]:
    """What stands in the cells: counts, or shares of each row (None where the class has no sample)."""
    if not chart.normalised:
        return [list(row) for row in chart.counts]
    return [[count / sum(row) if sum(row) else None for count in row] for row in chart.counts]


@_sentences.register
def _(chart: data.Confusion) -> list[str]:
    total = sum(map(sum, chart.counts))
    right = sum(row[place] for place, row in enumerate(chart.counts))
    mixed = sorted(
        (
            (-count, chart.names[i], chart.names[j])
            for i, row in enumerate(chart.counts)
            for j, count in enumerate(row)
            if i != j and count
        )
    )[:3]
    kind = "Shares of each row. " if chart.normalised else ""
    told = [f"{kind}{words.number(right)} of {words.number(total)} samples are on the diagonal."]
    if mixed:
        told.append(
            "Most often mixed up: "
            + words.listed(f"{one} called {other} ({words.number(-count)} times)" for count, one, other in mixed)
            + "."
        )
    return told


@table.register
def _(chart: data.Bars) -> DataTable:
    quantity = f"{chart.quantity}, {chart.unit}" if chart.unit else chart.quantity
    has_notes = any(bar.note for bar in chart.bars)
    headers = ("row", f"{quantity} [95{words.NARROW}%]", "n") + (("note",) if has_notes else ())
    rows = tuple(
        (bar.label, words.with_interval(bar.estimate), str(bar.estimate.n)) + ((bar.note,) if has_notes else ())
        for bar in chart.bars
    )
    return DataTable(headers=headers, rows=rows)


@_sentences.register
def _(chart: data.Bars) -> list[str]:
    return [
        f"{bar.label}: {words.with_interval(bar.estimate)} {chart.unit}, n = {bar.estimate.n}"
        + (f", {bar.note}." if bar.note else ".")
        for bar in chart.bars
    ]


@table.register
def _(chart: data.Limits) -> DataTable:
    rows = tuple(
        (row.label, words.number(row.tflops), each.name, words.number(each.tflops), words.percent(share_of(row, each)))
        for row in chart.rows
        for each in row.ceilings
    )
    return DataTable(headers=("row", "reached, TFLOP/s", "ceiling", "ceiling, TFLOP/s", "share"), rows=rows)


@_sentences.register
def _(chart: data.Limits) -> list[str]:
    told = []
    for row in chart.rows:
        limits = words.listed(
            f"{words.percent(share_of(row, each))} of {each.name} ({words.number(each.tflops)})"
            for each in row.ceilings
        )
        told.append(f"{row.label}: {words.number(row.tflops)} TFLOP/s" + (f", {limits}." if limits else "."))
    return told


def share_of(row: data.Reached, ceiling: data.Ceiling) -> float | None:
    """What was reached, as a share of a ceiling."""
    return row.tflops / ceiling.tflops if ceiling.tflops else None
