"""Where the time of a step goes: the median step of each row, in parts that add up to it."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import StudyReport
from bench.analysis.result import StepParts
from reports.figures.chart import Chart, DataTable, left_out
from reports.figures.kinds import bars
from reports.figures.svg import marks
from reports.text import fmt, names


@dataclass(frozen=True, kw_only=True)
class StepPartsChart(Chart):
    """Stacked bars; the same part has the same colour in every bar, and its place in the order."""

    name = "parts"
    title = "Where the time of a step goes"
    section = "time"
    place = 1

    rows: tuple[tuple[str, StepParts], ...]  # by label; at most six names over all parts

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        if not report.parts:
            return "No row has timed steps that may be divided: none ran, or all that did are INVALID."
        named, setup = names.of_rows(report.study), names.setup(report.study)
        return cls(
            setup=setup,
            caption=f"The median step in parts that add up to it; {setup}. Communication is what the compute does not "
            "hide, from steps without it, timed after the window. The rest is what remains: forward, backward, "
            "optimizer and copies, which are not timed apart.",
            rows=tuple((named[each.configuration], each) for each in report.parts),
            absent=left_out(report.study, {each.configuration for each in report.parts}),
        )

    def draw(self, figure: marks.Figure) -> None:
        parts = self._names()
        axes = bars.axes_of(figure, [label for label, _ in self.rows], extra=18 * -(-len(parts) // 3) / 72)
        for place, (label, step) in enumerate(self.rows):
            left = 0.0
            for part in step.parts:
                color = marks.colour(parts.index(part.name))
                tip = f"{label}: {part.name} {fmt.number(part.ms)} ms"
                bars.bar(axes, place, part.ms, tip, left=left, color=color, edgecolor="none")
                left += part.ms
                if left < step.total_ms:
                    bars.stroke(axes, left, place, bars.THICK / 2, linewidth=0.8)
            bars.value(axes, step.total_ms, place, f"{fmt.number(step.total_ms)}{fmt.NARROW}ms")
        axes.set_xlim(0, max((step.total_ms for _, step in self.rows), default=1) * 1.02)
        axes.set_xlabel("ms of a step (p50)")
        axes.legend(
            handles=[marks.patch(number, each) for number, each in enumerate(parts)],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3,
            handlelength=0.9,
            handleheight=0.9,
            columnspacing=1.2,
            borderpad=0.2,
        )

    def table(self) -> DataTable:
        parts = self._names()
        lengths = [{part.name: part.ms for part in step.parts} for _, step in self.rows]
        return DataTable(
            headers=("row", *(f"{each}, ms" for each in parts), "step p50, ms"),
            rows=tuple(
                (label, *(fmt.number(ms.get(each)) for each in parts), fmt.number(step.total_ms))
                for (label, step), ms in zip(self.rows, lengths, strict=True)
            ),
        )

    def sentences(self) -> list[str]:
        return [
            f"{label}: {fmt.listed(f'{part.name} {fmt.number(part.ms)}' for part in step.parts)}, in all "
            f"{fmt.number(step.total_ms)} ms a step (p50)."
            for label, step in self.rows
        ]

    def _names(self) -> list[str]:
        """The parts over all bars, in the order in which they first appear."""
        return list(dict.fromkeys(part.name for _, step in self.rows for part in step.parts))
