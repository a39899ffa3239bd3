"""What both the drawing and the words of a chart need to know of its data."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.analysis.result import Estimate
from reports.figures import data
from reports.text import fmt


def launches_of(estimates: Sequence[Estimate]) -> str:
    """How often was measured, e.g. `n = 6` or `n = 5 to 6`."""
    counts = sorted({each.n for each in estimates})
    if not counts:
        return "n = 0"
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def resources_of(value: float) -> str:
    """A count on the axis, e.g. `4`."""
    return fmt.number(int(value) if value == int(value) else value)


def named_launches(point: data.ScalingPoint, told: Callable[[Estimate], str]) -> list[str]:
    """Each launch behind a point with its own value, in the form of the point's, e.g. `r03p01 1.883`."""
    digits = replace(point.estimate, n=1)  # as many as the interval allows
    return [
        f"{name} {told(replace(digits, estimate=value)).partition(' [')[0]}"
        for name, value in zip(point.names, point.launches, strict=False)
    ]


def part_names(chart: data.StepParts) -> tuple[str, ...]:
    """The parts over all bars, in the order in which they first appear."""
    return tuple(dict.fromkeys(part.name for bar in chart.bars for part in bar.parts))


def kept_steps(launch: data.LaunchSteps) -> tuple[float, ...]:
    """What counts: neither warm-up nor cut."""
    return launch.step_ms[launch.warmup_steps + launch.cut_steps :]


def launches_in(row: data.SteadyRow) -> str:
    """E.g. `6 launches`, or `12 of 830 launches` where only some of them are told of."""
    if row.of > len(row.launches):
        return f"{len(row.launches)} of {fmt.count(row.of, 'launch')}"
    return fmt.count(len(row.launches), "launch")


def middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return None
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def by_recall(chart: data.Classes) -> list[data.ClassBar]:
    """The classes that have a recall, best first; equals by name."""
    return sorted(
        (each for each in chart.classes if each.recall is not None), key=lambda each: (-(each.recall or 0), each.name)
    )


def cells(chart: data.Confusion) -> list[list[float | None]]:
    """What stands in the cells: counts, or shares of each row (None where the class has no sample)."""
    if not chart.normalised:
        return [list(row) for row in chart.counts]
    return [[count / sum(row) if sum(row) else None for count in row] for row in chart.counts]


def flop_unit(chart: data.Limits) -> tuple[str, float]:
    """The unit in which the largest number of a chart is not below 1, and how many of it a TFLOP/s is."""
    each = (value for row in chart.rows for value in (row.tflops, *(one.tflops for one in row.ceilings)))
    return ("TFLOP/s", 1.0) if max(each, default=1.0) >= 1 else ("GFLOP/s", 1000.0)


def share_of(row: data.Reached, ceiling: data.Ceiling) -> float | None:
    """What was reached, as a share of a ceiling."""
    return row.tflops / ceiling.tflops if ceiling.tflops else None
