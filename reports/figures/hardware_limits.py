"""Arithmetic that was reached, beneath what the hardware can do."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import StudyReport
from bench.analysis.result import Ceiling, Reached
from reports.figures.chart import Chart, DataTable
from reports.figures.kinds import bars
from reports.figures.svg import marks
from reports.text import fmt, names

_LINE = 13 / 72  # inches for the text of a ceiling


@dataclass(frozen=True, kw_only=True)
class HardwareLimits(Chart):
    """What was reached as bars; above each its ceilings, a stroke and a line of text for each."""

    name = "limits"
    title = "Reached beneath what the hardware can do"
    section = "limits"
    place = 1

    rows: tuple[tuple[str, Reached], ...]  # by label; over all devices of the row

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        if not report.reached:
            return (
                "No ceiling to draw: this device has no published peak in the table, and before the study none was "
                "measured (bench dna --measure) for a row that uses all cores of the machine, or a device that it was "
                "measured on."
            )
        named, setup = names.of_rows(report.study), names.setup(report.study)
        shares = [_share(row, each) for row in report.reached for each in row.ceilings]
        return cls(
            setup=setup,
            caption="Counted operations (convolutions, products of matrices, attention; forward and backward) a "
            f"second, beneath what the hardware can do; {setup}.",
            remark="More than 100 % of a measured ceiling is no feat: other programs held the ceiling back when it was "
            "measured, or the libraries need fewer operations for a convolution than the formula counts (Winograd)."
            if any(share is not None and share > 1 for share in shares)
            else "",
            rows=tuple((named[each.configuration], each) for each in report.reached),
        )

    @property
    def unit(self) -> tuple[str, float]:
        """The unit in which the largest number is not below 1, and what it is in FLOP/s."""
        return ("TFLOP/s", 1e12) if self._largest() >= 1e12 else ("GFLOP/s", 1e9)

    def draw(self, figure: marks.Figure) -> None:
        unit, one = self.unit
        lines = max((len(row.ceilings) for _, row in self.rows), default=0)
        height = bars.ROW + lines * _LINE
        axes = bars.axes_of(figure, [label for label, _ in self.rows], row=height)
        farthest = self._largest() / one if self.rows else 0
        thick = bars.ROW / height * bars.THICK
        line = (1 - thick) / (lines + 1) if lines else 0.0
        for place, (label, row) in enumerate(self.rows):
            reached = row.flop_per_s / one
            bars.bar(axes, place, reached, f"{label}: {fmt.number(reached)} {unit}", thick)
            bars.value(axes, reached, place, fmt.number(reached))
            for number, each in enumerate(sorted(row.ceilings, key=lambda each: each.flop_per_s)):
                level = place - thick / 2 - line * (number + 0.5)
                limit = each.flop_per_s / one
                axes.vlines(limit, level - line / 2, place + thick / 2, color=marks.ink(), linewidth=1.6)
                _beside(axes, limit, level, f"{each.name}: {fmt.percent(_share(row, each))}", left=limit > farthest / 2)
        axes.set_xlim(0, (farthest or 1) * 1.02)
        axes.set_ylim(max(1, len(self.rows)) - 0.5, -0.5 - line * lines / 2)
        axes.set_xlabel(f"{unit} over all devices (formula FLOPs)")

    def table(self) -> DataTable:
        unit, one = self.unit
        rows = tuple(
            (
                label,
                fmt.number(row.flop_per_s / one),
                each.name,
                fmt.number(each.flop_per_s / one),
                fmt.percent(_share(row, each)),
            )
            for label, row in self.rows
            for each in row.ceilings
        )
        return DataTable(headers=("row", f"reached, {unit}", "ceiling", f"ceiling, {unit}", "share"), rows=rows)

    def sentences(self) -> list[str]:
        unit, one = self.unit
        found = []
        for label, row in self.rows:
            limits = fmt.listed(
                f"{fmt.percent(_share(row, each))} of {each.name} ({fmt.number(each.flop_per_s / one)})"
                for each in row.ceilings
            )
            found.append(f"{label}: {fmt.number(row.flop_per_s / one)} {unit}" + (f", {limits}." if limits else "."))
        return found

    def _largest(self) -> float:
        return max(
            (each for _, row in self.rows for each in (row.flop_per_s, *(one.flop_per_s for one in row.ceilings))),
            default=1e12,
        )


def _beside(axes: marks.Axes, x: float, y: float, text: str, *, left: bool) -> None:
    """The text of a ceiling, on the side where there is room."""
    offset, align = (-4, "right") if left else (4, "left")
    axes.annotate(text, (x, y), xytext=(offset, 0), textcoords="offset points", ha=align, va="center")


def _share(row: Reached, ceiling: Ceiling) -> float | None:
    """What was reached, as a share of a ceiling."""
    return row.flop_per_s / ceiling.flop_per_s if ceiling.flop_per_s else None
