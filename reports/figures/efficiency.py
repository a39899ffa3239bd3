"""Efficiency against resources, within the baseline's kind of device alone."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import StudyReport
from reports.figures.kinds import lines
from reports.figures.svg import marks
from reports.text import fmt, names


@dataclass(frozen=True, kw_only=True)
class Efficiency(lines.ScalingChart):
    """From 0 to 110 %, further only where something lies there."""

    name = "efficiency"
    title = "Efficiency"
    place = 2
    is_share = True

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        study, base = report.study, report.study.baseline
        found = lines.selected(cls, report)
        if found is None or base is None:
            return ""  # the speedup says why
        return cls(
            baseline=f"{names.phrase(base, study.rows)}: {fmt.point(base.throughput)} samples/s",
            caption=f"Efficiency: speedup over the multiple of the baseline's {found['resource']}; {found['setup']}."
            f"{lines.suspects(study)}",
            **found,
        )

    def draw(self, figure: marks.Figure) -> None:
        axes = figure.add_subplot()
        places = self.places
        if self.is_logarithmic:
            axes.set_xscale("log", base=2)
        top = max(1.10, 1.05 * self.ends(highest=True))
        axes.set_ylim(0, top)
        step = 0.2 if top < 1.6 else 0.5
        marks.ticks_at(axes.yaxis, [step * number for number in range(int(top / step) + 1)])
        self.frame(axes)
        marks.percent_ticks(axes.yaxis)
        ends = []
        if len(places) > 1:
            axes.plot([places[0], places[-1]], [1, 1], color=marks.ink(), linestyle=(0, (4, 3)), linewidth=1)
            ends.append((places[-1], 1.0, "ideal"))
        marks.label_ends(axes, ends + self.draw_lines(axes))

    def sentences(self) -> list[str]:
        found = [f"100{fmt.NARROW}% is {self.baseline}."]
        found += [f"{line.label}: {self.along(line)}." for line in self.lines]
        return found + lines.not_drawn([line.label for line in self.lines])
