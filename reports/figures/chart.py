"""What a chart is: it selects what it shows, draws it, makes its table and its alternative text. No matplotlib."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Study
from reports.figures.svg import marks
from reports.text import fmt, names

LISTED_LAUNCHES = 100  # more are listed as rows, and their dots have no names: 50 bytes each
LISTED_EPOCHS = 25  # of one run

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """What a chart shows, as text; the first column says what a row is."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Chart(ABC):
    """One chart with what it shows, in the analysis' own nouns. What has a name is found by the page.

    Shares are fractions (1.0 is 100 %). An `Estimate` without an interval is drawn as a point without one. Whatever has
    no number is left out of the marks and named in `absent`, with its reason, so that a chart never hides a row.
    """

    kind: ClassVar[str] = "figure"  # among the blocks of a page
    name: ClassVar[str]  # lower case letters, digits and dashes; names files and the SVG's ids
    title: ClassVar[str]
    section: ClassVar[str] = ""  # of the page: where the chart of one study stands
    place: ClassVar[int] = 50  # among the charts of its section; a new one stands last
    is_wide: ClassVar[bool] = True  # takes the whole width; two that do not stand side by side

    suffix: str = ""  # sets the charts of several studies in one page apart
    setup: str  # what must stand in every caption, as `names.setup` has it
    caption: str = ""
    remark: str = ""  # stands under the chart: what wants an explanation
    absent: tuple[str, ...] = ()  # what is not drawn, and why, e.g. "ddp on 4 ranks: crash"

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        """The chart of one study; else why there is none, empty where something beside it says so."""
        del report
        return ""

    @classmethod
    def together(cls, report: Report) -> Self | str:
        """One chart of several studies, as `select`."""
        del report
        return ""

    @abstractmethod
    def draw(self, figure: marks.Figure) -> None:
        """Puts the marks into an empty figure."""

    @abstractmethod
    def table(self) -> DataTable:
        """Everything that is drawn, or the summary that its docstring names."""

    @abstractmethod
    def sentences(self) -> list[str]:
        """What there is to see, with its numbers."""

    @property
    def key(self) -> str:
        """Unique in one page."""
        return f"{self.name}{self.suffix}"

    def alt_text(self) -> str:
        """The chart in words, for whoever cannot see it: a few sentences in one paragraph."""
        said = [f"{self.title}. {self.setup}.", *self.sentences()]
        if self.absent:
            said.append(f"Not drawn: {'; '.join(self.absent)}.")
        return " ".join(fmt.clean(each) for each in said if each)


def left_out(study: Study, drawn: Collection[str]) -> tuple[str, ...]:
    """Every row whose key is not among those that are drawn, with its status and why."""
    found = []
    for row in study.rows:
        if row.key not in drawn:
            why = next(iter(row.reasons), "") or row.reasons_null.get("efficiency", "")
            status = "INVALID" if row.is_invalid else row.status
            reason = f" ({fmt.clean(why)})" if why and why != status else ""
            found.append(f"{names.phrase(row, study.rows)}: {status}{reason}")
    return tuple(found)


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly spread, the first and the last among them.

    >>> spread(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
