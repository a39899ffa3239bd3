"""A chart as a table of text, for whoever wants its numbers. No matplotlib."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch

from bench.analysis.result import Estimate
from reports.figures import data
from reports.figures.facts import (
    cells,
    flop_unit,
    kept_steps,
    middle,
    named_launches,
    part_names,
    resources_of,
    share_of,
)
from reports.figures.thinning import LISTED_CELLS, LISTED_CLASSES, LISTED_EPOCHS, LISTED_LAUNCHES, spread
from reports.text import fmt


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """What a chart shows, as text; the first column says what a row is."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@singledispatch
def table(chart: data.Chart) -> DataTable:
    """Everything that the chart is drawn from, or the summary that its docstring names."""
    raise TypeError(f"no table for {type(chart).__name__}")


@table.register
def _(chart: data.Speedup) -> DataTable:
    return _scaling_table(chart.lines, chart.resource, "speedup", fmt.with_interval)


@table.register
def _(chart: data.Efficiency) -> DataTable:
    return _scaling_table(chart.lines, chart.resource, "efficiency", fmt.percent_with_interval)


def _scaling_table(
    lines: Sequence[data.ScalingLine], resource: str, quantity: str, told: Callable[[Estimate], str]
) -> DataTable:
    """With every launch by its name, where there are not very many."""
    many = sum(len(point.launches) for line in lines for point in line.points)
    are_named = many <= LISTED_LAUNCHES and any(point.names for line in lines for point in line.points)
    rows = tuple(
        (line.label, resources_of(point.resources), told(point.estimate), str(point.estimate.n))
        + ((", ".join(named_launches(point, told)) or fmt.MISSING,) if are_named else ())
        for line in lines
        for point in line.points
    )
    headers = ("line", resource, f"{quantity} [95{fmt.NARROW}%]", "n") + (("launches",) if are_named else ())
    return DataTable(headers=headers, rows=rows)


@table.register
def _(chart: data.StepParts) -> DataTable:
    names = part_names(chart)
    rows = tuple((bar.label, *(_ms(_part(bar, name)) for name in names), _ms(bar.total_ms)) for bar in chart.bars)
    return DataTable(headers=("row", *(f"{name}, ms" for name in names), "step p50, ms"), rows=rows)


def _part(bar: data.StepBar, name: str) -> float | None:
    found = [part.ms for part in bar.parts if part.name == name]
    return sum(found) if found else None


def _ms(value: float | None) -> str:
    return fmt.number(value)


@table.register
def _(chart: data.Steadiness) -> DataTable:
    """One line per launch; one per row where there are very many."""
    launches = [(row.label, launch) for row in chart.rows for launch in row.launches]
    lengths = ("kept", "median ms", "shortest ms", "longest ms")
    if len(launches) <= LISTED_LAUNCHES:
        return DataTable(
            headers=("row", "launch", "warm-up", "cut", *lengths),
            rows=tuple(
                (label, each.launch, str(each.warmup_steps), str(each.cut_steps), *_lengths(kept_steps(each)))
                for label, each in launches
            ),
        )
    rows = tuple(
        (row.label, str(len(row.launches)), *_lengths([step for each in row.launches for step in kept_steps(each)]))
        for row in chart.rows
    )
    return DataTable(headers=("row", "launches", *lengths), rows=rows)


def _lengths(kept: Sequence[float]) -> tuple[str, ...]:
    shortest, longest = min(kept, default=None), max(kept, default=None)
    return fmt.number(len(kept)), _ms(middle(kept)), _ms(shortest), _ms(longest)


@table.register
def _(chart: data.Learning) -> DataTable:
    """At most 25 epochs of each run, the first and the last among them."""
    headers = ("run", "epoch", "samples", "seconds", "loss train", "loss valid.", "accuracy train", "accuracy valid.")
    rows = tuple(
        (
            curve.label,
            str(place + 1),
            fmt.number(round(curve.samples[place])),
            fmt.number(curve.seconds[place]),
            fmt.number(curve.train_loss[place], 3),
            fmt.number(curve.validation_loss[place], 3),
            fmt.percent(curve.train_accuracy[place], 2),
            fmt.percent(curve.validation_accuracy[place], 2),
        )
        for curve in chart.curves
        for place in spread(range(len(curve.samples)), LISTED_EPOCHS)
    )
    return DataTable(headers=headers, rows=rows)


@table.register
def _(chart: data.LearningRate) -> DataTable:
    """At most 25 epochs of each run, the first and the last among them."""
    rows = tuple(
        (line.label, resources_of(line.epochs[place]), f"{line.learning_rate[place]:.4g}")
        for line in chart.lines
        for place in spread(range(len(line.epochs)), LISTED_EPOCHS)
    )
    return DataTable(headers=("run", "epoch", "learning rate"), rows=rows)


@table.register
def _(chart: data.Classes) -> DataTable:
    has_published = any(each.published is not None for each in chart.classes)
    headers = ("class", "recall", "precision", "F1", "samples") + (("published recall",) if has_published else ())
    rows = tuple(
        (
            each.name,
            fmt.percent(each.recall),
            fmt.percent(each.precision),
            fmt.percent(each.f1),
            fmt.number(each.support),
        )
        + ((fmt.percent(each.published),) if has_published else ())
        for each in chart.classes
    )
    return DataTable(headers=headers, rows=rows)


@table.register
def _(chart: data.Confusion) -> DataTable:
    """The matrix; of more than 20 classes the cells that weigh most beside the diagonal."""
    shown = fmt.percent if chart.normalised else fmt.number
    found = cells(chart)
    if len(chart.names) > LISTED_CLASSES:
        mixed = [
            (-(value or 0), chart.names[row], chart.names[column])
            for row, values in enumerate(found)
            for column, value in enumerate(values)
            if row != column and value
        ]
        listed = tuple((one, other, shown(-value)) for value, one, other in sorted(mixed)[:LISTED_CELLS])
        return DataTable(headers=("is", "called", "share" if chart.normalised else "samples"), rows=listed)
    rows = tuple((name, *map(shown, row)) for name, row in zip(chart.names, found, strict=True))
    return DataTable(headers=("is, called", *chart.names), rows=rows)


@table.register
def _(chart: data.Bars) -> DataTable:
    quantity = f"{chart.quantity}, {chart.unit}" if chart.unit else chart.quantity
    has_notes = any(bar.note for bar in chart.bars)
    headers = ("row", f"{quantity} [95{fmt.NARROW}%]", "n") + (("note",) if has_notes else ())
    rows = tuple(
        (bar.label, fmt.with_interval(bar.estimate), str(bar.estimate.n))
        + ((bar.note or fmt.MISSING,) if has_notes else ())
        for bar in chart.bars
    )
    return DataTable(headers=headers, rows=rows)


@table.register
def _(chart: data.Limits) -> DataTable:
    unit, many = flop_unit(chart)
    rows = tuple(
        (
            row.label,
            fmt.number(many * row.tflops),
            each.name,
            fmt.number(many * each.tflops),
            fmt.percent(share_of(row, each)),
        )
        for row in chart.rows
        for each in row.ceilings
    )
    return DataTable(headers=("row", f"reached, {unit}", "ceiling", f"ceiling, {unit}", "share"), rows=rows)
