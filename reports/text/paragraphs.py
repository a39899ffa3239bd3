"""Lines of a terminal: paragraphs that hang from a word, and blocks of them.

Apart from tables, which know the store's words: `bench doctor` and `bench dna` need not wait for those.
"""

import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from reports.text.console import shown


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


def write(blocks: Sequence[Sequence[Text]], console: Console) -> None:
    """Print blocks with an empty line around each; empty blocks are left out."""
    console.print()
    for block in filter(None, blocks):
        for line in block:
            line.rstrip()
            console.print(line, soft_wrap=True)  # every line is as long as it should be: rich breaks none of them
        console.print()
