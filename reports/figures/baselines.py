"""The baselines of several studies: absolute rates side by side."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import Report
from reports.figures.kinds.bars import Bar, SideBySide
from reports.text import names


@dataclass(frozen=True, kw_only=True)
class Baselines(SideBySide):
    """One bar for each study whose baseline has a number."""

    name = "baselines"
    title = "Baselines side by side"
    place = 1
    quantity = "throughput"
    unit = "samples/s"

    @classmethod
    def together(cls, report: Report) -> Self | str:
        found, absent = [], []
        for each in report.studies:
            base, label = each.study.baseline, names.study_among(each, report.studies)
            if base is None or base.throughput is None or base.is_invalid:
                absent.append(f"{label}: its baseline has no number")
            else:
                found.append(Bar(label=label, estimate=base.throughput, launches=base.rates))
        if not found:
            return ""
        setup = names.setups(report.studies)
        return cls(
            setup=setup,
            caption=f"The baseline of each study, {setup}; dots are single launches. An absolute rate holds for its "
            "own model, batch, precision and machine.",
            bars=tuple(found),
            absent=tuple(absent),
        )
