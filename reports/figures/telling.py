"""A chart in words, for whoever cannot see it, with its table beside it. No matplotlib."""

from collections.abc import Callable, Sequence
from functools import singledispatch

from bench.analysis.result import Estimate
from reports.figures import data
from reports.figures.facts import (
    by_recall,
    flop_unit,
    kept_steps,
    launches_in,
    launches_of,
    middle,
    resources_of,
    share_of,
)
from reports.figures.svg.palette import MOST
from reports.figures.tables import DataTable, table
from reports.figures.thinning import lines_of, stretches_of
from reports.text import fmt

__all__ = ["DataTable", "describe", "table"]


def describe(chart: data.Chart) -> str:
    """What there is to see, with its numbers, in a few sentences of one paragraph."""
    told = [f"{chart.title}. {chart.setup}.", *_sentences(chart)]
    if chart.absent:
        told.append(f"Not drawn: {'; '.join(chart.absent)}.")
    return " ".join(fmt.clean(each) for each in told if each)


@singledispatch
def _sentences(chart: data.Chart) -> list[str]:
    raise TypeError(f"no description for {type(chart).__name__}")


@_sentences.register
def _(chart: data.Speedup) -> list[str]:
    told = [f"1 is {chart.baseline}."]
    told += [f"{line.label}: speedup {_along(line, chart.resource, fmt.point)}." for line in chart.lines]
    last = max((point.resources for line in chart.lines for point in line.points), default=0)
    if last:
        ideal = fmt.number(last / chart.baseline_resources, 2 if last % chart.baseline_resources else 0)
        told.append(f"Ideal at {resources_of(last)}: {ideal}.")
    told += [f"Shaded: {each.label}, within the measured range." for each in chart.envelopes]
    return told + _too_many([line.label for line in chart.lines])


@_sentences.register
def _(chart: data.Efficiency) -> list[str]:
    told = [f"100{fmt.NARROW}% is {chart.baseline}."]
    told += [f"{line.label}: {_along(line, chart.resource, fmt.percent_point)}." for line in chart.lines]
    return told + _too_many([line.label for line in chart.lines])


def _along(line: data.ScalingLine, resource: str, told: Callable[[Estimate], str]) -> str:
    values = fmt.listed(told(point.estimate) for point in line.points)
    places = fmt.listed(resources_of(point.resources) for point in line.points)
    return f"{values} at {places} {resource}, {launches_of([point.estimate for point in line.points])}"


def _too_many(labels: Sequence[str]) -> list[str]:
    return [f"In the table only: {fmt.listed(labels[MOST:])}."] if len(labels) > MOST else []


@_sentences.register
def _(chart: data.StepParts) -> list[str]:
    told = []
    for bar in chart.bars:
        parts = fmt.listed(f"{part.name} {fmt.number(part.ms)}" for part in bar.parts)
        told.append(f"{bar.label}: {parts}, in all {fmt.number(bar.total_ms)} ms a step (p50).")
    return told


@_sentences.register
def _(chart: data.Steadiness) -> list[str]:
    told = []
    for row in chart.rows:
        kept = [each for launch in row.launches for each in kept_steps(launch)]
        if kept:
            told.append(
                f"{row.label}: {launches_in(row)}, median step {fmt.number(middle(kept))} ms, "
                f"{fmt.number(min(kept))} to {fmt.number(max(kept))} ms after the warm-up."
            )
    told.append("Each line is one launch; warm-up and what was cut as not yet steady are shaded.")
    pieces, lines = stretches_of(chart), lines_of(chart)
    if any(len(row.launches) > lines for row in chart.rows):
        told.append(f"Of each row at most {lines} launches are drawn as lines, evenly spread over the study.")
    if any(len(launch.step_ms) > pieces for row in chart.rows for launch in row.launches):
        told.append(
            f"Longer launches are drawn as the medians of {pieces} stretches, with the longest step of each stretch "
            "over all launches as a dot."
        )
    return told


@_sentences.register
def _(chart: data.Learning) -> list[str]:
    told = []
    for curve in chart.curves:
        if curve.samples:
            repeats = f", mean of {fmt.count(curve.launches, 'launch')}" if curve.launches > 1 else ""
            told.append(
                f"{curve.label}: after {fmt.count(len(curve.samples), 'epoch')}, "
                f"{fmt.number(round(curve.samples[-1]))} samples and {fmt.number(curve.seconds[-1])} s, validation "
                f"accuracy {fmt.percent(curve.validation_accuracy[-1], 2)} and loss "
                f"{fmt.number(curve.validation_loss[-1], 3)}{repeats}."
            )
    if chart.published_accuracy is not None:
        told.append(f"Published: {fmt.percent(chart.published_accuracy, 2)}.")
    return told + _too_many([curve.label for curve in chart.curves])


@_sentences.register
def _(chart: data.LearningRate) -> list[str]:
    told = [
        f"{line.label}: from {line.learning_rate[0]:.4g} to {line.learning_rate[-1]:.4g} over "
        f"{fmt.count(len(line.epochs), 'epoch')}, at most {max(line.learning_rate):.4g}."
        for line in chart.lines
        if line.learning_rate
    ]
    return told + _too_many([line.label for line in chart.lines])


@_sentences.register
def _(chart: data.Classes) -> list[str]:
    ordered = by_recall(chart)
    if not ordered:
        return ["No class has a recall."]
    best, worst = ordered[0], ordered[-1]
    many = f"{fmt.number(len(chart.classes))} classes: best {best.name} {fmt.percent(best.recall)}"
    return [f"{many}, worst {worst.name} {fmt.percent(worst.recall)}."]


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
    told = [f"{kind}{fmt.number(right)} of {fmt.number(total)} samples are on the diagonal."]
    if mixed:
        told.append(
            "Most often mixed up: "
            + fmt.listed(f"{one} called {other} ({fmt.number(-count)} times)" for count, one, other in mixed)
            + "."
        )
    return told


@_sentences.register
def _(chart: data.Bars) -> list[str]:
    return [
        f"{bar.label}: {fmt.with_interval(bar.estimate)} {chart.unit}, n = {bar.estimate.n}"
        + (f", {bar.note}." if bar.note else ".")
        for bar in chart.bars
    ]


@_sentences.register
def _(chart: data.Limits) -> list[str]:
    told = []
    unit, many = flop_unit(chart)
    for row in chart.rows:
        limits = fmt.listed(
            f"{fmt.percent(share_of(row, each))} of {each.name} ({fmt.number(many * each.tflops)})"
            for each in row.ceilings
        )
        told.append(f"{row.label}: {fmt.number(many * row.tflops)} {unit}" + (f", {limits}." if limits else "."))
    return told
