"""Joules per sample of every row."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import StudyReport
from reports.figures.kinds.bars import Bar, SideBySide
from reports.text import fmt, names


@dataclass(frozen=True, kw_only=True)
class EnergyPerSample(SideBySide):
    """Every row whose energy was measured."""

    name = "energy"
    title = "Energy"
    section = "energy"
    place = 1
    quantity = "energy"
    unit = "J/sample"

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        named, setup = names.of_rows(report.study), names.setup(report.study)
        found = tuple(
            Bar(label=named[each.configuration], estimate=each.per_sample_j)
            for each in report.energy
            if each.per_sample_j is not None
        )
        if not found:
            why = dict.fromkeys(fmt.clean(each.reason) for each in report.energy if each.reason)
            return f"Not measured here: {'; '.join(why) or 'no row has a number'}."
        return cls(
            setup=setup,
            caption=f"Joules per sample over all devices of a row; {setup}.",
            bars=found,
            absent=tuple(
                f"{named[each.configuration]}: {fmt.clean(each.reason or 'not measured')}"
                for each in report.energy
                if each.per_sample_j is None
            ),
        )
