"""A terminal: whether it takes colour, which letters it can show, and paragraphs of lines that fit it."""

import os
import textwrap
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from reports.text import fmt


def console_for(stream: TextIO, *, color: bool = True, width: int | None = None) -> Console:
    """A console that writes plain text, without one escape byte, unless the stream is a terminal that wants colour.

    What is not a terminal has no width of its own: 80 columns, or COLUMNS where that is set.
    """
    is_terminal = stream.isatty()
    colored = color and is_terminal and wants_color()
    if width is None and not is_terminal:
        columns = os.environ.get("COLUMNS", "")
        width = int(columns) if columns.isdigit() and int(columns) > 0 else 80
    return Console(
        file=stream,
        width=width,
        force_terminal=colored,
        force_jupyter=False,  # in a notebook rich would show its text beside the stream, and write nothing to it
        color_system="auto" if colored else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def wants_color() -> bool:
    """Neither NO_COLOR nor a terminal that takes every byte for text."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def shows_only_ascii(console: Console) -> bool:
    """The stream's encoding has no dashes, dots and lines to draw with."""
    return not console.encoding.lower().startswith("utf")


def shown(text: str, console: Console, style: str = "") -> Text:
    """Text for this console: plain spaces, so that a copied number is a number, and ASCII where it can show no more."""
    return Text(fmt.to_ascii(text) if shows_only_ascii(console) else text.replace(fmt.NARROW, " "), style=style)


def paragraph(lead: str, text: str, console: Console, style: str = "") -> list[Text]:
    """Text that hangs from its lead. Only plain spaces are broken at, so numbers stay whole."""
    wrapped = textwrap.wrap(
        text, console.width, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
    )
    lines = [shown(line, console) for line in wrapped or [lead]]
    lines[0].stylize(style, 0, len(lead.rstrip()))
    return lines


def show_hanging(lead: str, text: str, console: Console, style: str = "") -> None:
    """Print a paragraph; what is no terminal gets it as the one line that can be searched for."""
    if console.file.isatty():
        lines = paragraph(lead, text, console, style)
    else:
        lines = [shown(lead + text, console)]
        lines[0].stylize(style, 0, len(lead.rstrip()))
    for line in lines:
        line.rstrip()
        console.print(line, soft_wrap=True)


def show_blocks(blocks: Sequence[Sequence[Text]], console: Console) -> None:
    """Print blocks with an empty line around each; empty blocks are left out."""
    console.print()
    for block in filter(None, blocks):
        for line in block:
            line.rstrip()
            console.print(line, soft_wrap=True)  # every line is as long as it should be: rich breaks none of them
        console.print()
