"""Step time by index: a small panel per row, a line per launch, warm-up and cut shaded."""

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures import data
from reports.figures.facts import kept_steps, launches_in, middle
from reports.figures.svg import marks
from reports.figures.thinning import lines_of, spread, stretches_of

CAP = 1.5  # medians: what is longer is marked at the edge, so that one stall does not flatten the rest
MOST_BEYOND = 60  # marks at the edge in one panel

_PANEL = 74 / 72
_AXIS = 40 / 72


def steadiness(figure: Figure, chart: data.Steadiness) -> None:
    """Long launches are drawn in stretches: the median of each as a line, the longest step of any launch as a dot."""
    figure.set_figheight(_AXIS + _PANEL * max(1, len(chart.rows)))
    panels = figure.subplots(max(1, len(chart.rows)), 1, squeeze=False, sharex=True)[:, 0]
    stretches, most = stretches_of(chart), lines_of(chart)
    for panel, row in zip(panels, chart.rows, strict=False):
        _panel(panel, row, spread(row.launches, most), stretches)
    longest = max((len(launch.step_ms) for row in chart.rows for launch in row.launches), default=1)
    panels[-1].set_xlim(-0.5, max(1, longest) - 0.5)
    panels[-1].set_xlabel("step of the launch")
    figure.supylabel("step time, ms", fontsize=9.5)


def _panel(axes: Axes, row: data.SteadyRow, drawn: Sequence[data.LaunchSteps], stretches: int) -> None:
    marks.plain_axes(axes)
    bottom, top = _range(row)
    axes.set_ylim(bottom, top)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.set_title(f"{row.label}, {launches_in(row)}", pad=3)
    warmup = max((launch.warmup_steps for launch in row.launches), default=0)
    cut = max((launch.cut_steps for launch in row.launches), default=0)
    for start, end, shade in ((0, warmup, 0.18), (warmup, warmup + cut, 0.08)):
        if end > start:
            axes.axvspan(start - 0.5, end - 0.5, color=marks.ink(), alpha=shade, linewidth=0)
    for launch in drawn:
        pieces = _pieces(launch.step_ms, stretches)
        places = [start + (len(piece) - 1) / 2 for start, piece in pieces]
        centres = [min(middle(piece) or 0.0, top) for _, piece in pieces]
        axes.plot(places, centres, color=marks.colour(0), linewidth=0.9)
    peaks: dict[int, tuple[int, float]] = {}
    beyond: list[tuple[int, float]] = []
    for launch in row.launches:
        beyond += [(place, top) for place, value in enumerate(launch.step_ms) if value > top]
        if len(launch.step_ms) > stretches:
            for number, (start, piece) in enumerate(_pieces(launch.step_ms, stretches)):
                within = [(value, -place) for place, value in enumerate(piece, start) if value <= top]
                longest, place = max(within, default=(0.0, 0))
                if longest > peaks.get(number, (0, 0.0))[1]:
                    peaks[number] = (-place, longest)
    marks.faint_dots(axes, list(peaks.values()), marks.colour(0), 2)
    if beyond:
        at_edge = spread(sorted(set(beyond)), MOST_BEYOND)
        axes.plot(*zip(*at_edge, strict=True), "^", color=marks.colour(1), markersize=4)


def _range(row: data.SteadyRow) -> tuple[float, float]:
    """All but the longest hundredth of what was kept, at least 10 % around the median, at most half as much again.

    A launch that is slow as a whole is no stall: the middle of each is within.
    """
    kept = sorted(each for launch in row.launches for each in kept_steps(launch))
    centre = middle(kept) or middle([each for launch in row.launches for each in launch.step_ms]) or 1.0
    lowest = min((min(launch.step_ms) for launch in row.launches if launch.step_ms), default=centre)
    top = min(CAP * centre, max(1.02 * kept[len(kept) * 99 // 100] if kept else 0.0, 1.1 * centre))
    slowest = max((middle(kept_steps(launch)) or 0.0 for launch in row.launches), default=0.0)
    return min(lowest, 0.9 * centre), max(top, 1.1 * slowest)


def _pieces(values: Sequence[float], stretches: int) -> list[tuple[int, Sequence[float]]]:
    """Neighbouring stretches of nearly equal length with the index of their first step; single steps where few."""
    count = min(stretches, len(values))
    edges = [round(number * len(values) / count) for number in range(count + 1)] if count else []
    return [(start, values[start:end]) for start, end in pairwise(edges)]
