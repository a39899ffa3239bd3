"""The table of a study, read back from each form that it is written in: what a reader of that form sees."""

import re
from html import unescape

from reports.text import fmt


def same_words(text: str) -> str:
    """Without what a format needs around a text: narrow blanks, escapes, its own dash."""
    text = text.replace(fmt.NARROW, " ").replace(r"\,", " ").replace(r"\%", "%").replace(r"\_", "_")
    text = text.replace(r"$\pm$", "±").replace(r"$\sim$", "~")
    return fmt.MISSING if text.strip() in {"--", "{--}"} else text.strip()


def terminal(text: str) -> list[dict[str, str]]:
    """The wide table, cut where two columns of characters are blank in every line."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("mode"))
    block = [lines[start], *lines[start + 2 : lines.index("", start)]]
    width = max(map(len, block))
    block = [line.ljust(width) for line in block]
    blank = "".join(" " if all(line[place] == " " for line in block) else "x" for place in range(width))
    spans = [match.span() for match in re.finditer(r"x(?: ?x)*", blank)]
    header, *rows = [[same_words(line[slice(*span)]) for span in spans] for line in block]
    return [dict(zip(header, row, strict=True)) for row in rows]


def markdown(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    header, _, *rows = [[same_words(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(header, (cell.replace("\\", "") for cell in row), strict=True)) for row in rows]


def latex(text: str) -> list[dict[str, str]]:
    """Columns of numbers as siunitx reads them: a share's unit stands in the header, text stands in braces."""
    lines = [line.removesuffix(r" \\") for line in text.splitlines() if line.endswith(r" \\")]
    header, *rows = [[re.sub(r"^\{(.*)\}$", r"\1", same_words(cell)) for cell in line.split(" & ")] for line in lines]
    header = [
        f"{header[place - 1].removesuffix(' (%)')} {name}" if name == "[95 %]" else name
        for place, name in enumerate(header)
    ]
    return [dict(zip(header, row, strict=True)) for row in rows]


def page(text: str) -> list[dict[str, str]]:
    """The first table of the page."""
    rows = re.findall(r"<tr.*?>(.*?)</tr>", text[text.index("<table") : text.index("</table>")], re.DOTALL)
    header, *cells = [
        [same_words(unescape(cell)) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]
    return [dict(zip(header, row, strict=True)) for row in cells]
