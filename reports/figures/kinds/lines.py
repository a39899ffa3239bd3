"""Speedup and efficiency against resources: ideal dashed, interval as a band, every launch a faint dot."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from bench.analysis.result import Estimate
from reports.figures import data
from reports.figures.facts import launches_of, named_launches, resources_of
from reports.figures.svg import marks
from reports.figures.svg.palette import MOST
from reports.figures.thinning import LISTED_LAUNCHES
from reports.text import fmt

LINEAR_TO = 16  # resources: up to here a logarithmic axis would only flatter


def speedup(figure: Figure, chart: data.Speedup) -> None:
    """Linear axes to 16; beyond, both logarithmic to base 2."""
    axes: Axes = figure.add_subplot()
    places = _places(chart.lines)
    top = _top(chart.lines)
    ideal = [place / chart.baseline_resources for place in places]
    is_wide = max(places, default=0) > LINEAR_TO
    ends = []
    if len(places) > 1:
        axes.plot(places, ideal, color=marks.ink(), linestyle=(0, (4, 3)), linewidth=1)
        ends.append((places[-1], ideal[-1], "ideal"))
    for envelope in chart.envelopes:
        axes.fill_between(envelope.resources, envelope.low, envelope.high, color=marks.ink(), alpha=0.1, linewidth=0)
        ends.append((envelope.resources[-1], (envelope.low[-1] + envelope.high[-1]) / 2, envelope.label))
    if is_wide:
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_locator(FixedLocator([2.0**power for power in range(-3, 13)]))
        axes.set_ylim(_bottom(chart.lines) / 1.3, 1.15 * max([top, *ideal]))
    else:
        axes.set_ylim(0, 1.08 * max([top, *ideal, 1]))
    _frame(axes, places, chart.resource, is_wide)
    axes.set_ylabel("speedup")
    ends += _lines(axes, chart.lines, fmt.with_interval)
    marks.label_ends(axes, ends)


def efficiency(figure: Figure, chart: data.Efficiency) -> None:
    """From 0 to 110 %, further only where something lies there."""
    axes: Axes = figure.add_subplot()
    places = _places(chart.lines)
    is_wide = max(places, default=0) > LINEAR_TO
    if is_wide:
        axes.set_xscale("log", base=2)
    top = max(1.10, 1.05 * _top(chart.lines))
    axes.set_ylim(0, top)
    step = 0.2 if top < 1.6 else 0.5
    axes.yaxis.set_major_locator(FixedLocator([step * number for number in range(int(top / step) + 1)]))
    _frame(axes, places, chart.resource, is_wide)
    marks.percent_ticks(axes.yaxis)
    axes.set_ylabel("efficiency")
    ends = []
    if len(places) > 1:
        axes.plot([places[0], places[-1]], [1, 1], color=marks.ink(), linestyle=(0, (4, 3)), linewidth=1)
        ends.append((places[-1], 1.0, "ideal"))
    ends += _lines(axes, chart.lines, fmt.percent_with_interval)
    marks.label_ends(axes, ends)


def _frame(axes: Axes, places: Sequence[float], resource: str, is_wide: bool) -> None:
    marks.plain_axes(axes)
    axes.xaxis.set_major_locator(FixedLocator(list(places)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    if places and is_wide:
        axes.set_xlim(places[0] / 1.15, places[-1] * 1.05)
    elif places:
        axes.set_xlim(min(places[0], 0), places[-1] + 0.02 * (places[-1] or 1))
    axes.set_xlabel(resource)


def _lines(
    axes: Axes, lines: Sequence[data.ScalingLine], told: Callable[[Estimate], str]
) -> list[tuple[float, float, str]]:
    """Draws them and returns their ends; points lie beneath their labels only when in order of resources."""
    ends = []
    is_named = sum(len(point.launches) for line in lines for point in line.points) <= LISTED_LAUNCHES
    for number, line in enumerate(lines[:MOST]):
        looks = marks.series(number)
        colour: Any = looks["color"]
        whole = [point for point in line.points if fmt.has_interval(point.estimate)]
        if len(whole) > 1:
            low = [point.estimate.low or 0.0 for point in whole]
            high = [point.estimate.high or 0.0 for point in whole]
            axes.fill_between(
                [point.resources for point in whole], low, high, color=colour, alpha=marks.BAND, linewidth=0
            )
        for point in whole:
            axes.vlines(point.resources, point.estimate.low, point.estimate.high, color=colour, linewidth=1)  # type: ignore[arg-type]
        dots = [(point.resources, value) for point in line.points for value in point.launches]
        named = [each for point in line.points for each in named_launches(point, told)] if is_named else []
        marks.faint_dots(axes, dots, colour, tips=named)
        if len(line.points) > 1:
            axes.plot(
                [point.resources for point in line.points],
                [point.estimate.estimate for point in line.points],
                color=colour,
                dashes=looks["dashes"],
            )
        for point in line.points:
            axes.plot(
                [point.resources],
                [point.estimate.estimate],
                looks["marker"],
                color=colour,
                gid=marks.tip(
                    f"{line.label}, {resources_of(point.resources)}: {told(point.estimate)}, n = {point.estimate.n}"
                ),
            )
        if line.points:
            last = line.points[-1]
            counts = launches_of([point.estimate for point in line.points])
            ends.append((last.resources, last.estimate.estimate, f"{line.label}, {counts}"))
    return ends


def _places(lines: Sequence[data.ScalingLine]) -> list[float]:
    return sorted({point.resources for line in lines for point in line.points})


def _all(lines: Sequence[data.ScalingLine]) -> list[float]:
    return [
        value
        for line in lines[:MOST]
        for point in line.points
        for value in (point.estimate.estimate, point.estimate.low, point.estimate.high, *point.launches)
        if value is not None
    ]


def _top(lines: Sequence[data.ScalingLine]) -> float:
    return max(_all(lines), default=1.0)


def _bottom(lines: Sequence[data.ScalingLine]) -> float:
    return min(_all(lines), default=1.0)
