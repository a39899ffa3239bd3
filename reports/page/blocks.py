"""What a page is made of: plain text in blocks. Whoever lays it out escapes it; nothing here is HTML."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from bench.analysis.report import Report, StudyReport
from reports import figures
from reports.figures.chart import Chart
from reports.text.columns import Column


@dataclass(frozen=True, kw_only=True)
class Head:
    """One column's header."""

    text: str
    is_number: bool = True


def heads(words: Sequence[str], numbers: Sequence[str]) -> tuple[Head, ...]:
    """Columns of words first, then those of numbers."""
    return tuple(Head(text=text, is_number=text not in words) for text in (*words, *numbers))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table; the first cell of a row says what the row is."""

    kind: ClassVar[str] = "grid"
    key: str  # unique in the page
    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: tuple[int, ...] = ()  # rows that are the base of the others

    @classmethod
    def of(cls, columns: Sequence[Column], **given: Any) -> Self:
        """The columns of a table as they stand in a terminal too."""
        return cls(
            heads=tuple(Head(text=each.header, is_number=each.align != "left") for each in columns),
            rows=tuple(zip(*(each.cells for each in columns), strict=True)),
            **given,
        )


@dataclass(frozen=True, kw_only=True)
class Prose:
    """A paragraph."""

    kind: ClassVar[str] = "prose"
    text: str
    is_quiet: bool = False  # a footnote rather than a statement


@dataclass(frozen=True, kw_only=True)
class Points:
    """Short statements that belong together."""

    kind: ClassVar[str] = "points"
    items: tuple[str, ...]
    is_quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A warning: what was found with its effect, and what to do."""

    kind: ClassVar[str] = "finding"
    text: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Names with their values."""

    kind: ClassVar[str] = "pairs"
    pairs: tuple[tuple[str, str], ...]
    marked: frozenset[str] = frozenset()  # names whose values differ from another card's
    fold: str = ""  # its summary, when it is folded away


@dataclass(frozen=True, kw_only=True)
class Code:
    """Something to copy."""

    kind: ClassVar[str] = "code"
    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Download:
    """Data that travels in the page."""

    kind: ClassVar[str] = "download"
    name: str  # of the file
    text: str
    media: str
    what: str  # in a few words


@dataclass(frozen=True, kw_only=True)
class Apart:
    """The blocks of one study among several, under a heading of its own."""

    kind: ClassVar[str] = "apart"
    heading: str
    blocks: tuple["Block", ...]


Block = Chart | Grid | Prose | Points | Finding | Pairs | Code | Download | Apart


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section under its heading."""

    key: str  # anchor
    title: str
    blocks: tuple[Block, ...]
    lead: str = ""  # one line under the heading: what is to be seen here


@dataclass(frozen=True, kw_only=True)
class Headline:
    """A number that the page opens with."""

    value: str
    label: str
    bounds: str = ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole page."""

    title: str
    kicker: str  # above the title: what this is, when
    verdicts: tuple[tuple[str, str], ...]  # study (empty when there is one), sentence
    headlines: tuple[Headline, ...]
    setup: tuple[str, ...]  # facts that hold for everything below
    sections: tuple[Section, ...] = field(default=())
    colophon: str = ""


def charts_of_study(section: str, report: StudyReport, suffix: str) -> tuple[Block, ...]:
    """The charts of one study in a section."""
    return tuple(_drawn(figures.of_study(section, report, suffix)))


def charts_of_several(report: Report) -> tuple[Block, ...]:
    """The charts that show several studies in one."""
    return tuple(_drawn(figures.of_several(report)))


def _drawn(found: Iterable[Chart | str]) -> Iterator[Block]:
    for each in found:
        if isinstance(each, str):
            text = each
        else:
            yield each
            text = each.remark
        if text:
            yield Prose(text=text)
