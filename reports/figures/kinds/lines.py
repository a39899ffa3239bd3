"""Ratios against resources: the lines of a study, interval as a band, every launch a faint dot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bench.analysis.report import StudyReport
from bench.analysis.result import Estimate, Row, Study
from reports.figures.chart import LISTED_LAUNCHES, Chart, DataTable, left_out
from reports.figures.svg import marks
from reports.figures.svg.palette import MOST
from reports.scaling.sentence import baseline_rate, is_suspect
from reports.text import fmt, names

LINEAR_TO = 16  # resources: up to here a logarithmic axis would only flatter


@dataclass(frozen=True, kw_only=True)
class Point:
    """One configuration on its line."""

    resources: float  # place on the axis
    estimate: Estimate  # speedup, or efficiency as a fraction
    launches: tuple[tuple[str, float], ...] = ()  # the same of each launch, by its name


@dataclass(frozen=True, kw_only=True)
class Line:
    """One strategy on one kind of device; points in order of resources."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class ScalingChart(Chart):
    """Lines over resources; more than six are in the table only."""

    section = "speedup"
    is_wide = False
    is_share: ClassVar[bool]  # of what was added: efficiency, in per cent; else speedup

    resource: str  # what is counted on the axis: "ranks", "cores", "GPUs"
    baseline: str  # what one is, with its rate: "single: 1 302 samples/s"
    lines: tuple[Line, ...]

    @property
    def places(self) -> list[float]:
        """Where something was measured."""
        return sorted({point.resources for line in self.lines for point in line.points})

    @property
    def is_logarithmic(self) -> bool:
        return max(self.places, default=0) > LINEAR_TO

    def ends(self, *, highest: bool) -> float:
        """The highest or the lowest number that is drawn."""
        points = [point for line in self.lines[:MOST] for point in line.points]
        drawn = [value for point in points for _, value in point.launches]
        for found in (point.estimate for point in points):
            drawn += [value for value in (found.estimate, found.low, found.high) if value is not None]
        return (max if highest else min)(drawn, default=1.0)

    def frame(self, axes: marks.Axes) -> None:
        """A tick at each place."""
        marks.plain_axes(axes)
        places = self.places
        marks.ticks_at(axes.xaxis, places)
        if places and self.is_logarithmic:
            axes.set_xlim(places[0] / 1.15, places[-1] * 1.05)
        elif places:
            axes.set_xlim(min(places[0], 0), places[-1] + 0.02 * (places[-1] or 1))
        axes.set_xlabel(self.resource)
        axes.set_ylabel(self.name)

    def draw_lines(self, axes: marks.Axes) -> list[tuple[float, float, str]]:
        """Returns their ends with their labels."""
        ends = []
        is_named = self._are_launches_listed()
        for number, line in enumerate(self.lines[:MOST]):
            looks = marks.series(number)
            colour: Any = looks["color"]
            _intervals(axes, line, colour)
            dots = [(point.resources, value) for point in line.points for _, value in point.launches]
            tips = [each for point in line.points for each in self._launches(point)] if is_named else []
            marks.faint_dots(axes, dots, colour, tips=tips)
            places = [(point.resources, point.estimate.estimate) for point in line.points]
            if len(places) > 1:
                axes.plot(*zip(*places, strict=True), color=colour, dashes=looks["dashes"])
            for point, (x, y) in zip(line.points, places, strict=True):
                said = f"{self._written(point.estimate)}, n = {point.estimate.n}"
                tip = marks.tip(f"{line.label}, {count(x)}: {said}")
                axes.plot([x], [y], looks["marker"], color=colour, gid=tip)
            if places:
                ends.append((*places[-1], f"{line.label}, {_launches_of(line)}"))
        return ends

    def table(self) -> DataTable:
        """With every launch by its name, where there are not very many."""
        are_listed = self._are_launches_listed() and any(each.launches for line in self.lines for each in line.points)
        rows = tuple(
            (line.label, count(point.resources), self._written(point.estimate), str(point.estimate.n))
            + ((", ".join(self._launches(point)) or fmt.MISSING,) if are_listed else ())
            for line in self.lines
            for point in line.points
        )
        headers = ("line", self.resource, f"{self.name} [95{fmt.NARROW}%]", "n")
        return DataTable(headers=headers + (("launches",) if are_listed else ()), rows=rows)

    def along(self, line: Line) -> str:
        """A line in words."""
        written = fmt.percent_point if self.is_share else fmt.point
        values = fmt.listed(written(point.estimate) for point in line.points)
        places = fmt.listed(count(point.resources) for point in line.points)
        return f"{values} at {places} {self.resource}, {_launches_of(line)}"

    def _are_launches_listed(self) -> bool:
        return sum(len(point.launches) for line in self.lines for point in line.points) <= LISTED_LAUNCHES

    def _written(self, estimate: Estimate) -> str:
        return fmt.percent_with_interval(estimate) if self.is_share else fmt.with_interval(estimate)

    def _launches(self, point: Point) -> list[str]:
        """Each launch behind a point with its own value, in the form of the point's, e.g. `r03p01 1.883`."""
        digits = replace(point.estimate, n=1)  # as many as the interval allows
        return [
            f"{name} {self._written(replace(digits, estimate=value)).partition(' [')[0]}"
            for name, value in point.launches
        ]


def _intervals(axes: marks.Axes, line: Line, colour: Any) -> None:
    whole = [point for point in line.points if fmt.has_interval(point.estimate)]
    if len(whole) > 1:
        low = [point.estimate.low or 0.0 for point in whole]
        high = [point.estimate.high or 0.0 for point in whole]
        axes.fill_between([point.resources for point in whole], low, high, color=colour, alpha=marks.BAND, linewidth=0)
    for point in whole:
        axes.vlines(point.resources, point.estimate.low, point.estimate.high, color=colour, linewidth=1)  # type: ignore[arg-type]


def not_drawn(labels: Sequence[str]) -> list[str]:
    """What a chart has too many of, in words."""
    return [f"In the table only: {fmt.listed(labels[MOST:])}."] if len(labels) > MOST else []


def count(value: float) -> str:
    """A number of resources, e.g. `4`."""
    return fmt.number(int(value) if value == int(value) else value)


def _launches_of(line: Line) -> str:
    """How often was measured, e.g. `n = 6` or `n = 5 to 6`."""
    counts = sorted({point.estimate.n for point in line.points})
    if not counts:
        return "n = 0"
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def selected(chart: type[ScalingChart], report: StudyReport) -> dict[str, Any] | None:
    """What every chart over resources is made of; None where no row but the baseline has a ratio."""
    study, base = report.study, report.study.baseline
    if base is None or baseline_rate(study) is None:
        return None
    lines = _lines(report, base, is_share=chart.is_share)
    if not lines:
        return None
    on_scale = {row.key for row in study.rows if row.efficiency is not None and _is_like(row, base)}
    return {
        "setup": names.setup(study),
        "resource": "cores" if base.configuration.device == "cpu" else "GPUs",
        "lines": lines,
        "absent": left_out(study, {*on_scale, base.key}),
    }


def suspects(study: Study) -> str:
    """A mark in a chart says nothing of whether it may be trusted."""
    found = [
        names.phrase(row, study.rows)
        for row in study.rows
        if is_suspect(row) and (row.is_baseline or row.speedup is not None)
    ]
    return f" Suspect, drawn all the same: {fmt.listed(found)}." if found else ""


def resources_of(row: Row) -> float:
    """As efficiency counts them: cores where they are set, else devices."""
    return float(row.configuration.ranks * (row.configuration.cores_per_rank or 1))


def _is_like(row: Row, base: Row) -> bool:
    """Whether a row stands on the scale of this baseline: another kind of device has one of its own."""
    return row.configuration.device == base.configuration.device and not row.is_invalid


def _lines(report: StudyReport, base: Row, *, is_share: bool) -> tuple[Line, ...]:
    """A line for each strategy on the baseline's kind of device; other kinds are no part of this scale."""
    drawn = [
        row
        for row in report.study.rows
        if row.speedup is not None and row.efficiency is not None and _is_like(row, base)
    ]
    groups: dict[str, list[Row]] = {}
    for row in drawn:
        if not row.is_baseline:
            groups.setdefault(_line_of(row, base, drawn), []).append(row)
    lines = []
    for label, rows in groups.items():
        if all(row.configuration.strategy == "single" for row in rows):  # the baseline is one of them
            rows.insert(0, base)
        points = [_point(row, base, report, is_share=is_share) for row in rows]
        lines.append(Line(label=label, points=tuple(sorted(points, key=lambda each: each.resources))))
    return tuple(lines)


def _point(row: Row, base: Row, report: StudyReport, *, is_share: bool) -> Point:
    estimate = row.efficiency if is_share else row.speedup
    assert estimate is not None  # noqa: S101 - chosen by the caller
    added = resources_of(row) / resources_of(base) if is_share else 1.0
    launches = {
        each.launch_id.rpartition(".")[2]: each.speedup / added  # within its study, as `bench show @last.r00p01` has it
        for each in report.launches
        if each.configuration == row.key and each.speedup is not None
    }
    return Point(resources=resources_of(row), estimate=estimate, launches=tuple(launches.items()))


def _line_of(drawn: Row, base: Row, among: Sequence[Row]) -> str:
    """Which line a row stands on: cores shared out otherwise are another way to use as many, not another count."""
    row = drawn.configuration
    if row.strategy == "single":
        return "single, one process" if row.cores_per_rank != base.configuration.cores_per_rank else row.strategy
    alike = (each.configuration for each in among if each.configuration.strategy == row.strategy)
    if row.cores_per_rank is None or len({each.cores_per_rank for each in alike}) == 1:
        return row.strategy
    return f"{row.strategy}, {fmt.count(row.cores_per_rank, 'core')} a rank"
