"""Lines of a terminal: a table under headings."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from reports.text.columns import Column, fitting, laid_out
from reports.text.console import shown

GUTTER = "  "


def table(
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
    kept, gone = (every, ()) if wide else fitting(every, console.width, len(GUTTER))
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
