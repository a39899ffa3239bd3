"""Horizontal bars from 0, one to each row: what charts draw them with, and the chart that is nothing but bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bench.analysis.result import Estimate
from reports.figures.chart import Chart, DataTable
from reports.figures.svg import marks
from reports.text import fmt

ROW = 22 / 72  # inches for one bar
THICK = 0.62
_AXIS = 42 / 72


def axes_of(figure: marks.Figure, labels: Sequence[str], extra: float = 0, row: float = ROW) -> marks.Axes:
    """Axes with a named place for each bar, first on top."""
    figure.set_figheight(_AXIS + extra + row * max(1, len(labels)))
    axes: marks.Axes = figure.add_subplot()
    marks.plain_axes(axes, x=True, y=False)
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
    axes.set_ylim(max(1, len(labels)) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    return axes


def bar(axes: marks.Axes, place: int, length: float, tip: str, thick: float = THICK, **looks: Any) -> None:
    """One bar that says what it is."""
    axes.barh(place, length, thick, gid=marks.tip(tip), **{"color": marks.colour(0), **looks})


def stroke(axes: marks.Axes, x: float, place: float, half: float, linewidth: float) -> None:
    """A line across a bar."""
    axes.vlines(x, place - half, place + half, color=marks.ink(), linewidth=linewidth)


def value(axes: marks.Axes, x: float, y: float, text: str) -> None:
    """The bar's number just behind its end; it may stand outside of the axes."""
    axes.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", va="center", annotation_clip=False)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One value with its interval and launches."""

    label: str
    estimate: Estimate
    launches: tuple[float, ...] = ()
    note: str = ""  # beside the value, e.g. "SLOWER"


@dataclass(frozen=True, kw_only=True)
class SideBySide(Chart):
    """One colour: the label says what a bar is. Interval as a whisker, launches as dots."""

    quantity: ClassVar[str]  # e.g. "throughput"
    unit: ClassVar[str]

    bars: tuple[Bar, ...]

    def draw(self, figure: marks.Figure) -> None:
        axes = axes_of(figure, [each.label for each in self.bars])
        farthest = 0.0
        for place, each in enumerate(self.bars):
            found = each.estimate
            tip = f"{each.label}: {fmt.with_interval(found)}{fmt.NARROW}{self.unit}, n = {found.n}"
            bar(axes, place, found.estimate, tip)
            end = found.estimate
            if fmt.has_interval(found):
                axes.hlines(place, found.low, found.high, color=marks.ink(), linewidth=1.4)  # type: ignore[arg-type]
                end = max(end, found.high or end)
            if each.launches:
                level = place + THICK * 0.36
                marks.faint_dots(axes, [(launch, level) for launch in each.launches], marks.ink(), 2.6)
                end = max(end, *each.launches)
            value(axes, end, place, f"{fmt.point(found)} {each.note}".rstrip())
            farthest = max(farthest, end)
        axes.set_xlim(0, (farthest or 1) * 1.02)
        axes.set_xlabel(f"{self.quantity}, {self.unit}")

    def table(self) -> DataTable:
        has_notes = any(each.note for each in self.bars)
        headers = ("row", f"{self.quantity}, {self.unit} [95{fmt.NARROW}%]", "n") + (("note",) if has_notes else ())
        rows = tuple(
            (each.label, fmt.with_interval(each.estimate), str(each.estimate.n))
            + ((each.note or fmt.MISSING,) if has_notes else ())
            for each in self.bars
        )
        return DataTable(headers=headers, rows=rows)

    def sentences(self) -> list[str]:
        return [
            f"{each.label}: {fmt.with_interval(each.estimate)} {self.unit}, n = {each.estimate.n}"
            + (f", {each.note}." if each.note else ".")
            for each in self.bars
        ]


def _short(label: str, most: int = 26) -> str:
    """Without its middle: the end distinguishes rows, as in `ddp on 2 ranks with 4 cores`."""
    half = most // 2
    return label if len(label) <= most else f"{label[: most - half - 1].rstrip()}…{label[-half:].lstrip()}"
