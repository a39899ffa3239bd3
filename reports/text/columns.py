"""Columns of texts: how wide they are, and which give way when a table is too wide."""

import re
from dataclasses import dataclass
from typing import Literal

from reports.text import fmt

_WHOLE = re.compile(rf"\d*(?:[ {fmt.NARROW}]\d+)*")  # a number up to its point

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


def fitting(columns: tuple[Column, ...], width: int, gutter: int = 2) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns that fit into a width in characters, and the headers of those that had to go."""
    shown = list(columns)
    gone = []
    while sum(map(widest, shown)) + gutter * (len(shown) - 1) > width:
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
