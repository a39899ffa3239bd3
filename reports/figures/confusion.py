"""What was called what: a grid of cells, darker the more often. As counts, and as shares of each class."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from bench.analysis.report import StudyReport
from bench.analysis.result import Classes
from reports.figures.chart import Chart, DataTable
from reports.figures.svg import marks
from reports.text import fmt, names

NUMBERED = 12  # classes: more leave no room for numbers in the cells
NAMED = 40  # classes: more leave no room for names at the edges
LISTED_CLASSES = 20  # a larger matrix is listed as its largest cells
LISTED_CELLS = 40
SHADES = 12
DARKEST = 0.6  # opacity at which a number on the cell is still read at 4.5 : 1, on a light and on a dark page


@dataclass(frozen=True, kw_only=True)
class Confusion(Chart):
    """One colour whose opacity is the share of the row, so that it works on a light and on a dark page."""

    name = "confusion"
    title = "Confusion matrix, counts"
    section = "confusion"
    place = 1
    is_wide = False
    is_shares: ClassVar[bool] = False  # of each class; else counts
    opening: ClassVar[str] = "How often each class (row) was called which (column)"  # of the caption

    result: Classes

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        if not report.classes:
            return ""
        setup = names.after_training(report.study, report.classes[0])
        return cls(setup=setup, caption=f"{cls.opening}; {setup}.", result=report.classes[0])

    @property
    def names(self) -> list[str]:
        return [fmt.clean(each.name) for each in self.result.classes]

    @property
    def cells(self) -> list[list[float | None]]:
        """Counts, or shares of each row: None where the class has no sample."""
        if not self.is_shares:
            return [list(row) for row in self.result.confusion]
        return [[count / sum(row) if sum(row) else None for count in row] for row in self.result.confusion]

    def draw(self, figure: marks.Figure) -> None:
        many = len(self.names)
        figure.set_figheight(figure.get_figwidth() * 0.92)
        axes: marks.Axes = figure.add_subplot()
        axes.set_aspect("equal")
        axes.set_xlim(0, many)
        axes.set_ylim(many, 0)
        shades = defaultdict(list)
        for row, counts in enumerate(self.result.confusion):
            for column, count in enumerate(counts):
                if shade := _shade(count, sum(counts), many):
                    shades[shade].append((column, row))
        for shade, corners in sorted(shades.items()):
            marks.squares(axes, corners, marks.colour(0), DARKEST * shade / SHADES)
        if many <= NUMBERED:
            self._numbers(axes, size=9.5 if many <= 6 else 8)
        ticks = [place + 0.5 for place in range(many)] if many <= NAMED else []
        labels = [name if len(name) <= 14 else f"{name[:13]}…" for name in self.names] if ticks else []
        size = 9.5 if many <= NUMBERED else 6.5
        axes.set_xticks(ticks, labels, rotation=90 if many > 5 else 0, fontsize=size)
        axes.set_yticks(ticks, labels, fontsize=size)
        axes.set_xlabel("called")
        axes.set_ylabel("is")
        for spine in axes.spines.values():
            spine.set_visible(True)

    def _numbers(self, axes: marks.Axes, size: float) -> None:
        for row, values in enumerate(self.cells):
            for column, value in enumerate(values):
                text = axes.text(column + 0.5, row + 0.5, self._cell(value), ha="center", va="center", fontsize=size)
                text.set_in_layout(False)  # it is inside: measuring a hundred of them takes most of the time

    def _cell(self, value: float | None) -> str:
        """Nothing for a zero: the eye should find what there is."""
        if not value:
            return ""
        return fmt.number(100 * value, 0 if value >= 0.095 else 1) if self.is_shares else fmt.number(value)

    def table(self) -> DataTable:
        """The matrix; of more than 20 classes the cells that weigh most beside the diagonal."""
        written = fmt.percent if self.is_shares else fmt.number
        if len(self.names) > LISTED_CLASSES:
            listed = tuple((one, other, written(value)) for value, one, other in self._mixed(self.cells)[:LISTED_CELLS])
            return DataTable(headers=("is", "called", "share" if self.is_shares else "samples"), rows=listed)
        rows = tuple((name, *map(written, row)) for name, row in zip(self.names, self.cells, strict=True))
        return DataTable(headers=("is, called", *self.names), rows=rows)

    def sentences(self) -> list[str]:
        counts = self.result.confusion
        right = sum(row[place] for place, row in enumerate(counts))
        kind = "Shares of each row. " if self.is_shares else ""
        found = [f"{kind}{fmt.number(right)} of {fmt.number(sum(map(sum, counts)))} samples are on the diagonal."]
        if mixed := self._mixed(counts)[:3]:
            most = (f"{one} called {other} ({fmt.number(count)} times)" for count, one, other in mixed)
            found.append(f"Most often mixed up: {fmt.listed(most)}.")
        return found

    def _mixed(self, cells: Sequence[Sequence[float | None]]) -> list[tuple[float, str, str]]:
        """What lies beside the diagonal and is not nothing: the value, what it is, what it was called; most first."""
        names = self.names
        found = [
            (-value, names[row], names[column])
            for row, values in enumerate(cells)
            for column, value in enumerate(values)
            if row != column and value
        ]
        return [(-value, one, other) for value, one, other in sorted(found)]


@dataclass(frozen=True, kw_only=True)
class ConfusionShares(Confusion):
    """The same as shares of each class."""

    name = "confusion-shares"
    title = "Confusion matrix, shares of each class"
    place = 2
    is_shares = True
    opening = "The same as shares of each class"


def _shade(count: int, total: int, classes: int) -> int:
    """How dark, 0 to SHADES: to the nearest where there are many classes, so that small shares stay blank; else up."""
    if not total:
        return 0
    return round(SHADES * count / total) if classes > NUMBERED else -(-SHADES * count // total)
