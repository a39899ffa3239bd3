"""Things side by side that have no order: rows, studies, devices. Bars from 0 with intervals and launches."""

from dataclasses import dataclass
from typing import ClassVar

from bench.analysis.result import Estimate
from reports.figures.chart import Chart, DataTable
from reports.figures.kinds import bars
from reports.figures.svg import marks
from reports.text import fmt


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
        axes = bars.axes_of(figure, [each.label for each in self.bars])
        farthest = 0.0
        for place, each in enumerate(self.bars):
            found = each.estimate
            tip = f"{each.label}: {fmt.with_interval(found)}{fmt.NARROW}{self.unit}, n = {found.n}"
            bars.bar(axes, place, found.estimate, tip)
            end = found.estimate
            if fmt.has_interval(found):
                axes.hlines(place, found.low, found.high, color=marks.ink(), linewidth=1.4)  # type: ignore[arg-type]
                end = max(end, found.high or end)
            if each.launches:
                level = place + bars.THICK * 0.36
                marks.faint_dots(axes, [(launch, level) for launch in each.launches], marks.ink(), 2.6)
                end = max(end, *each.launches)
            bars.value(axes, end, place, f"{fmt.point(found)} {each.note}".rstrip())
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
