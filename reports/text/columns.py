"""Columns of texts as a table: how wide they are, which give way when it is too wide, and its lines in a terminal."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich.console import Console
from rich.text import Text

from reports.text import fmt
from reports.text.console import shown

_WHOLE = re.compile(rf"\d*(?:[ {fmt.NARROW}]\d+)*")  # a number up to its point
GUTTER = "  "

Align = Literal["left", "right", "point"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; `drop` says how soon it gives way when the table is too wide (1 first), None that it never does."""

    key: str  # the attribute of the row that it shows
    header: str
    cells: tuple[str, ...]
    align: Align = "right"  # words left, numbers right, numbers with an interval by their decimal point
    drop: int | None = None
    narrower: "Column | None" = None  # what takes its place before it goes altogether


def fitting(columns: tuple[Column, ...], width: int) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns that fit into a width in characters, and the headers of those that had to go."""
    shown = list(columns)
    gone = []
    while sum(map(widest, shown)) + len(GUTTER) * (len(shown) - 1) > width:
        first = min((each for each in shown if each.drop is not None), key=lambda each: each.drop or 0, default=None)
        if first is None:
            break
        place = shown.index(first)
        shown[place : place + 1] = [first.narrower] if first.narrower else []
        if first.narrower is None:
            gone.append(first.header)
    return tuple(shown), tuple(gone)


def laid_out(column: Column) -> tuple[str, ...]:
    """Header and cells, all padded to the column's width; decimal points in one line where the column asks for it."""
    cells = column.cells
    if column.align == "point":
        places = [max(1, len(cell) - len(_WHOLE.sub("", cell, count=1))) for cell in cells]
        cells = tuple(" " * (max(places, default=0) - place) + cell for place, cell in zip(places, cells, strict=True))
    texts = (column.header, *cells)
    width = max(map(len, texts))
    return tuple(text.rjust(width) if column.align == "right" else text.ljust(width) for text in texts)


def widest(column: Column) -> int:
    """Characters that a column needs."""
    return len(laid_out(column)[0])


def table_lines(
    columns: Sequence[Column],
    console: Console,
    styles: Mapping[str, str],
    *,
    wide: bool,
    headings: Mapping[int, str] | None = None,
) -> tuple[list[Text], tuple[str, ...]]:
    """Header, rule and rows, and the headers of the columns that had to go; a row is never wrapped.

    Args:
        columns: with cells of every row.
        console: its width decides what fits, its letters how a cell is written.
        styles: of cells that are one of these words.
        wide: every column, whatever the width.
        headings: lines that stand before the row of that number.
    """
    every = tuple(_in_letters(column, console) for column in columns)
    kept, gone = (every, ()) if wide else fitting(every, console.width)
    header, *rows = zip(*map(laid_out, kept), strict=True)
    first = GUTTER.join(header)
    lines = [shown(first, console, "bold"), shown("─" * len(first), console, "dim")]
    for number, cells in enumerate(rows):
        if headings and number in headings:
            lines += [shown(line, console, "bold") for line in textwrap.wrap(headings[number], console.width)]
        lines.append(Text(GUTTER).join(shown(cell, console, styles.get(cell.strip(), "")) for cell in cells))
    return lines, gone


def _in_letters(column: Column, console: Console) -> Column:
    """The column in the letters that this console has: some become two, so this comes before any width is taken."""
    return replace(
        column,
        header=shown(column.header, console).plain,
        cells=tuple(shown(cell, console).plain for cell in column.cells),
        narrower=_in_letters(column.narrower, console) if column.narrower else None,
    )
