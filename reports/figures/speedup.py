"""Speedup against resources, with the ideal line."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import StudyReport
from bench.analysis.result import Law, Study
from reports.figures.kinds import lines
from reports.figures.svg import marks
from reports.text import fmt, names


@dataclass(frozen=True, kw_only=True)
class Speedup(lines.ScalingChart):
    """Linear axes to 16; beyond, both logarithmic to base 2."""

    name = "speedup"
    title = "Speedup"
    place = 1
    is_share = False

    baseline_resources: float = 1  # where the ideal line passes 1
    laws: tuple[tuple[str, Law], ...] = ()  # by label; over the measured counts, and only where they can be identified

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        study, base = report.study, report.study.baseline
        found = lines.selected(cls, report)
        if found is None or base is None:
            return f"No speedup to draw: {_why_none(study)}."
        baseline = f"{names.phrase(base, study.rows)}: {fmt.with_interval(base.throughput)} samples/s"
        laws = tuple(
            (law.name if len(study.laws) == 1 else f"{law.name}, {law.strategy}", law)
            for law in study.laws
            if law.device == base.configuration.device
        )
        band = f"; the grey band is {fmt.listed(label for label, _ in laws)}" if laws else ""
        return cls(
            baseline=baseline,
            baseline_resources=lines.resources_of(base),
            laws=laws,
            caption=f"Speedup over {baseline}; {found['setup']}. Dots are single launches, bars and bands 95 % "
            f"intervals over {fmt.count(study.title.rounds, 'round')}, the dashed line is ideal{band}."
            f"{lines.suspects(study)}",
            **found,
        )

    def draw(self, figure: marks.Figure) -> None:
        axes = figure.add_subplot()
        places = self.places
        top = self.ends(highest=True)
        ideal = [place / self.baseline_resources for place in places]
        ends = []
        if len(places) > 1:
            axes.plot(places, ideal, color=marks.ink(), linestyle=(0, (4, 3)), linewidth=1)
            ends.append((places[-1], ideal[-1], "ideal"))
        for label, law in self.laws:
            along = [each * self.baseline_resources for each in law.resources]
            axes.fill_between(along, law.low, law.high, color=marks.ink(), alpha=0.1, linewidth=0)
            ends.append((along[-1], (law.low[-1] + law.high[-1]) / 2, label))
        if self.is_logarithmic:
            axes.set_xscale("log", base=2)
            axes.set_yscale("log", base=2)
            marks.ticks_at(axes.yaxis, [2.0**power for power in range(-3, 13)])
            axes.set_ylim(self.ends(highest=False) / 1.3, 1.15 * max([top, *ideal]))
        else:
            axes.set_ylim(0, 1.08 * max([top, *ideal, 1]))
        self.frame(axes)
        marks.label_ends(axes, ends + self.draw_lines(axes))

    def sentences(self) -> list[str]:
        found = [f"1 is {self.baseline}."]
        found += [f"{line.label}: speedup {self.along(line)}." for line in self.lines]
        if last := max(self.places, default=0):
            ideal = fmt.number(last / self.baseline_resources, 2 if last % self.baseline_resources else 0)
            found.append(f"Ideal at {lines.count(last)}: {ideal}.")
        found += [f"Shaded: {label}, within the measured range." for label, _ in self.laws]
        return found + lines.not_drawn([line.label for line in self.lines])


def _why_none(study: Study) -> str:
    base = study.baseline
    if len(study.rows) == 1:
        return "one configuration was run"
    if base is None:
        return "no baseline was run"
    if base.throughput is None or base.is_invalid:
        what = "is INVALID" if base.is_invalid else "has no number to divide by"
        return f"the baseline, {names.phrase(base, study.rows)}, {what}"
    return "no other row may be held against the baseline"
