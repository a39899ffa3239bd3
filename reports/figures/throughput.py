"""Samples per second of every row: the absolute numbers behind the ratios."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import StudyReport
from reports.figures.chart import left_out
from reports.figures.kinds.bars import Bar, SideBySide
from reports.text import fmt, names


@dataclass(frozen=True, kw_only=True)
class Throughput(SideBySide):
    """Every row that has a rate, every launch a dot."""

    name = "rates"
    title = "Throughput"
    section = "speedup"
    place = 3
    quantity = "throughput"
    unit = "samples/s"

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        study = report.study
        found = [(row, row.throughput) for row in study.rows if row.throughput is not None and not row.is_invalid]
        if not found:
            return ""
        setup = names.setup(study)
        n = fmt.listed(str(each) for each in sorted({row.launches for row in study.rows if row.launches}))
        return cls(
            setup=setup,
            caption=f"Samples per second over all ranks, {setup}; dots are single launches, n = {n}.",
            bars=tuple(
                Bar(
                    label=names.phrase(row, study.rows),
                    estimate=rate,
                    launches=row.rates,
                    note=row.verdict.word if row.verdict else "",
                )
                for row, rate in found
            ),
            absent=left_out(study, {row.key for row, _ in found}),
        )
