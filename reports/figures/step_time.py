"""Step time by index: a small panel for each row, a line for each launch, warm-up and cut shaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from bench.analysis.report import StudyReport
from bench.analysis.result import Trace, Traces
from reports.figures.chart import LISTED_LAUNCHES, Chart, DataTable, left_out, spread
from reports.figures.svg import marks
from reports.text import fmt, names

CAP = 1.5  # medians: what is longer is marked at the edge, so that one stall does not flatten the rest
MOST_BEYOND = 60  # marks at the edge in one panel
POINTS = 1100  # of all lines in one chart
FEWEST_STRETCHES = 12  # of one launch
LINES = POINTS // FEWEST_STRETCHES  # launches drawn in one chart
FEWEST_LINES = 3  # launches drawn in one panel

_PANEL = 74 / 72
_AXIS = 40 / 72


@dataclass(frozen=True, kw_only=True)
class StepTime(Chart):
    """Long launches are drawn in stretches: the median of each as a line, the longest step of any launch as a dot."""

    name = "steady"
    title = "Step time over the launch"
    section = "steady"
    place = 1

    rows: tuple[tuple[str, Traces], ...]  # by label

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        if not report.traces:
            return "No launch left step times."
        named, setup = names.of_rows(report.study), names.setup(report.study)
        some = [each for each in report.traces if len(each.traces) < each.launches]
        few = f" Of each row at most {max(len(each.traces) for each in some)} launches, spread evenly." if some else ""
        most = max((row.cut_steps for row in report.study.rows), default=0)
        cut = f", and up to {fmt.count(most, 'step')} cut as not yet steady" if most else ""
        return cls(
            setup=setup,
            caption=f"Each line is one launch, the slowest rank of each step; {setup}. Shaded: warm-up{cut}. Triangles "
            "at the edge: longer steps. Long launches are drawn in stretches: the median of each as a line, its "
            f"longest step as a dot.{few}",
            rows=tuple((named[each.configuration], each) for each in report.traces),
            absent=left_out(report.study, {each.configuration for each in report.traces}),
        )

    @property
    def lines(self) -> int:
        """How many launches a panel draws at most."""
        return max(FEWEST_LINES, LINES // max(1, len(self.rows)))

    @property
    def stretches(self) -> int:
        """In how many stretches a launch is drawn that has more steps."""
        drawn = sum(min(self.lines, len(row.traces)) for _, row in self.rows)
        return max(FEWEST_STRETCHES, POINTS // max(1, drawn))

    def draw(self, figure: marks.Figure) -> None:
        panels = max(1, len(self.rows))
        figure.set_figheight(_AXIS + _PANEL * panels)
        axes = figure.subplots(panels, 1, squeeze=False, sharex=True)[:, 0]
        for panel, (label, row) in zip(axes, self.rows, strict=False):
            panel.set_title(f"{label}, {_launches_in(row)}", pad=3)
            _panel(panel, row, spread(row.traces, self.lines), self.stretches)
        longest = max((len(trace.step_ms) for _, row in self.rows for trace in row.traces), default=1)
        axes[-1].set_xlim(-0.5, max(1, longest) - 0.5)
        axes[-1].set_xlabel("step of the launch")
        figure.supylabel("step time, ms", fontsize=9.5)

    def table(self) -> DataTable:
        """One line for each launch; for each row where there are very many."""
        traces = [(label, trace) for label, row in self.rows for trace in row.traces]
        lengths = ("kept", "median ms", "shortest ms", "longest ms")
        if len(traces) <= LISTED_LAUNCHES:
            return DataTable(
                headers=("row", "launch", "warm-up", "cut", *lengths),
                rows=tuple((label, *_counts(each), *_lengths(_kept([each]))) for label, each in traces),
            )
        rows = tuple((label, str(len(row.traces)), *_lengths(_kept(row.traces))) for label, row in self.rows)
        return DataTable(headers=("row", "launches", *lengths), rows=rows)

    def sentences(self) -> list[str]:
        found = []
        for label, row in self.rows:
            if kept := _kept(row.traces):
                found.append(
                    f"{label}: {_launches_in(row)}, median step {fmt.number(_middle(kept))} ms, "
                    f"{fmt.number(min(kept))} to {fmt.number(max(kept))} ms after the warm-up."
                )
        found.append("Each line is one launch; warm-up and what was cut as not yet steady are shaded.")
        if any(len(row.traces) > self.lines for _, row in self.rows):
            found.append(f"Of each row at most {self.lines} launches are drawn as lines, evenly spread over the study.")
        if any(len(trace.step_ms) > self.stretches for _, row in self.rows for trace in row.traces):
            found.append(
                f"Longer launches are drawn as the medians of {self.stretches} stretches, with the longest step of "
                "each stretch over all launches as a dot."
            )
        return found


def _panel(axes: marks.Axes, row: Traces, drawn: Sequence[Trace], stretches: int) -> None:
    marks.plain_axes(axes)
    bottom, top = _range(row.traces)
    axes.set_ylim(bottom, top)
    marks.ticks_at_most(axes.yaxis, 3)
    warmup = max((trace.warmup_steps for trace in row.traces), default=0)
    cut = max((trace.cut_steps for trace in row.traces), default=0)
    for start, end, shade in ((0, warmup, 0.18), (warmup, warmup + cut, 0.08)):
        if end > start:
            axes.axvspan(start - 0.5, end - 0.5, color=marks.ink(), alpha=shade, linewidth=0)
    for trace in drawn:
        pieces = _pieces(trace.step_ms, stretches)
        places = [start + (len(piece) - 1) / 2 for start, piece in pieces]
        centres = [min(_middle(piece) or 0.0, top) for _, piece in pieces]
        axes.plot(places, centres, color=marks.colour(0), linewidth=0.9)
    peaks: dict[int, tuple[int, float]] = {}
    beyond: list[tuple[int, float]] = []
    for trace in row.traces:
        beyond += [(place, top) for place, value in enumerate(trace.step_ms) if value > top]
        if len(trace.step_ms) > stretches:
            for number, (start, piece) in enumerate(_pieces(trace.step_ms, stretches)):
                within = [(value, -place) for place, value in enumerate(piece, start) if value <= top]
                longest, place = max(within, default=(0.0, 0))
                if longest > peaks.get(number, (0, 0.0))[1]:
                    peaks[number] = (-place, longest)
    marks.faint_dots(axes, list(peaks.values()), marks.colour(0), 2)
    if beyond:
        at_edge = spread(sorted(set(beyond)), MOST_BEYOND)
        axes.plot(*zip(*at_edge, strict=True), "^", color=marks.colour(1), markersize=4)


def _range(traces: Sequence[Trace]) -> tuple[float, float]:
    """All but the longest hundredth of what was kept, at least 10 % around the median, at most half as much again.

    A launch that is slow as a whole is no stall: the middle of each is within.
    """
    kept = sorted(_kept(traces))
    centre = _middle(kept) or _middle([step for trace in traces for step in trace.step_ms]) or 1.0
    lowest = min((min(trace.step_ms) for trace in traces if trace.step_ms), default=centre)
    top = min(CAP * centre, max(1.02 * kept[len(kept) * 99 // 100] if kept else 0.0, 1.1 * centre))
    slowest = max((_middle(_kept([trace])) or 0.0 for trace in traces), default=0.0)
    return min(lowest, 0.9 * centre), max(top, 1.1 * slowest)


def _pieces(values: Sequence[float], stretches: int) -> list[tuple[int, Sequence[float]]]:
    """Neighbouring stretches of nearly equal length with the index of their first step; single steps where few."""
    count = min(stretches, len(values))
    edges = [round(number * len(values) / count) for number in range(count + 1)] if count else []
    return [(start, values[start:end]) for start, end in pairwise(edges)]


def _kept(traces: Sequence[Trace]) -> list[float]:
    """What counts: neither warm-up nor cut."""
    return [step for trace in traces for step in trace.step_ms[trace.warmup_steps + trace.cut_steps :]]


def _middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return None
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _counts(trace: Trace) -> tuple[str, ...]:
    return f"round {trace.round + 1}", str(trace.warmup_steps), str(trace.cut_steps)


def _lengths(kept: Sequence[float]) -> tuple[str, ...]:
    shortest, longest = min(kept, default=None), max(kept, default=None)
    return fmt.number(len(kept)), *map(fmt.number, (_middle(kept), shortest, longest))


def _launches_in(row: Traces) -> str:
    """E.g. `6 launches`, or `12 of 830 launches` where only some of them are shown."""
    some = f"{len(row.traces)} of " if row.launches > len(row.traces) else ""
    return some + fmt.count(row.launches if some else len(row.traces), "launch")
