"""Text and columns as LaTeX: what typesets as itself, and numbers that siunitx aligns at their decimal point."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.result import Estimate
from reports.text import fmt
from reports.text.columns import Column

_DASH = "\0"  # stands in for a typeset dash while the two hyphens of an option are kept apart

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "%": r"\%",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"$\sim$",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        fmt.NARROW: r"\,",
        fmt.MISSING: _DASH,
        "±": r"$\pm$",
        "·": r"$\cdot$",
    }
)


_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?(?:\((\d+)\))?")
_SHARE = f"{fmt.NARROW}%"


@dataclass(frozen=True, kw_only=True)
class LatexColumn:
    """One column of a `tabular`; header and cells are LaTeX."""

    alignment: str
    header: str
    cells: tuple[str, ...]


def columns(column: Column, rates: Sequence[Estimate | None]) -> tuple[LatexColumn, ...]:
    """A column of the table: numbers as siunitx's S, an estimate with an interval as two.

    Args:
        column: as every output shows it.
        rates: of each row; the throughput carries its uncertainty in parentheses, in units of its last digit.
    """
    if column.align == "point":
        estimates, intervals = zip(*(cell.partition(" ")[::2] for cell in column.cells), strict=True)
        header, _, of_interval = column.header.partition(" ")
        number = _numbers(header, estimates)
        intervals_column = LatexColumn(alignment="l", header=escape(of_interval), cells=tuple(map(escape, intervals)))
        return (number, intervals_column) if any(intervals) else (number,)
    if column.key == "throughput":
        cells = [cell + _uncertainty(rate) for cell, rate in zip(column.cells, rates, strict=True)]
        return (_numbers(column.header, cells),)
    if column.align == "right" and any(_NUMBER.fullmatch(_bare(cell)) for cell in column.cells):
        return (_numbers(column.header, column.cells),)
    alignment = "r" if column.align == "right" else "l"
    return (LatexColumn(alignment=alignment, header=escape(column.header), cells=tuple(map(escape, column.cells))),)


def _numbers(header: str, cells: Sequence[str]) -> LatexColumn:
    """Digits as they are; what is no number stands in braces, as siunitx wants it."""
    is_share = any(cell.endswith(_SHARE) for cell in cells)
    bare = [_bare(cell) for cell in cells]
    numbers = [match for cell in bare if (match := _NUMBER.fullmatch(cell))]
    whole, decimals, uncertain = (max((len(each[place] or "") for each in numbers), default=0) for place in (1, 2, 3))
    form = f"{max(1, whole)}.{decimals}" + (f"({uncertain})" if uncertain else "")
    return LatexColumn(
        alignment=f"S[table-format={form}]",
        header=f"{{{escape(header)}{' ({})'.format(escape('%')) if is_share else ''}}}",
        cells=tuple(
            short if _NUMBER.fullmatch(short) else f"{{{escape(cell)}}}"
            for short, cell in zip(bare, cells, strict=True)
        ),
    )


def _bare(cell: str) -> str:
    return cell.removesuffix(_SHARE).replace(fmt.NARROW, "")


def _uncertainty(rate: Estimate | None) -> str:
    """Half of the interval in units of the last digit that is shown, e.g. `(46)` behind 1303.1; empty without one."""
    if rate is None or rate.low is None or rate.high is None:
        return ""
    places = fmt.decimals_of(rate)
    return "" if places is None else f"({max(1, round((rate.high - rate.low) / 2 * 10**places))})"


def escape(text: str) -> str:
    """Text that typesets as itself; a letter that LaTeX's standard fonts lack is shown as its code point."""
    return "".join(_typeset(char) for char in text).replace("--", "-{}-").replace(_DASH, "--")


def _typeset(char: str) -> str:
    if char.isascii() or ord(char) in _SPECIAL:
        return char.translate(_SPECIAL)
    base = unicodedata.normalize("NFKD", char)[0]
    is_accented_latin = base.isascii() and base.isalpha() and ord(char) < 0x100
    return char if is_accented_latin else rf"\texttt{{U+{ord(char):04X}}}"
