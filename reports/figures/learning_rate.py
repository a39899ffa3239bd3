"""Learning rate by epoch: one line for each schedule that differs."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import StudyReport
from reports.figures.chart import LISTED_EPOCHS, Chart, DataTable, spread
from reports.figures.kinds.lines import not_drawn
from reports.figures.svg import marks
from reports.figures.svg.palette import MOST
from reports.text import fmt, names

Schedule = tuple[tuple[int, float], ...]  # epoch, from 1, and the rate at its end


@dataclass(frozen=True, kw_only=True)
class LearningRate(Chart):
    """Rows that share a schedule are drawn once; a line is named at its end."""

    name = "rate"
    title = "Learning rate"
    section = "rate"
    place = 1

    lines: tuple[tuple[str, Schedule], ...]  # by label

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        named, setup = names.of_rows(report.study), names.setup(report.study)
        found: dict[Schedule, list[str]] = {}
        for each in report.learned:
            schedule = tuple((point.epoch, point.learning_rate) for point in each.points)
            found.setdefault(schedule, []).append(named[each.configuration])
        rates = {rate for schedule in found for _, rate in schedule}
        if not found:
            return ""
        if len(rates) == 1:
            return f"Constant at {next(iter(rates)):.4g} in every epoch of every row."
        return cls(
            setup=setup,
            caption=f"Learning rate at the end of each epoch; {setup}.",
            lines=tuple((fmt.listed(labels), schedule) for schedule, labels in found.items()),
        )

    def draw(self, figure: marks.Figure) -> None:
        axes = figure.add_subplot()
        for number, (_, schedule) in enumerate(self.lines[:MOST]):
            marks.line(axes, [epoch for epoch, _ in schedule], [rate for _, rate in schedule], number)
        marks.plain_axes(axes)
        marks.ticks_at_most(axes.xaxis, 10, whole=True)
        points = [point for _, schedule in self.lines for point in schedule]
        axes.set_ylim(0, 1.08 * max((rate for _, rate in points), default=1) or 1)
        axes.set_xlim(0, max((epoch for epoch, _ in points), default=1) or 1)
        axes.set_xlabel("epoch")
        axes.set_ylabel("learning rate")
        ends = [(*schedule[-1], label) for label, schedule in self.lines[:MOST] if schedule]
        if len(ends) > 1:
            marks.label_ends(axes, ends)

    def table(self) -> DataTable:
        """At most 25 epochs of each run, the first and the last among them."""
        rows = tuple(
            (label, fmt.number(epoch), f"{rate:.4g}")
            for label, schedule in self.lines
            for epoch, rate in spread(schedule, LISTED_EPOCHS)
        )
        return DataTable(headers=("run", "epoch", "learning rate"), rows=rows)

    def sentences(self) -> list[str]:
        found = [
            f"{label}: from {schedule[0][1]:.4g} to {schedule[-1][1]:.4g} over {fmt.count(len(schedule), 'epoch')}, at "
            f"most {max(rate for _, rate in schedule):.4g}."
            for label, schedule in self.lines
            if schedule
        ]
        return found + not_drawn([label for label, _ in self.lines])
