"""Six colours for series, on a light and on a dark page, each with a marker and a dash of its own.

Okabe and Ito's colours (jfly.uni-koeln.de/color). On white their orange and sky blue are too pale to be seen by
everybody (2.3 : 1), so those two are darkened there; on the dark page all six are theirs. Colour never stands alone:
markers and dashes differ too.
"""

from dataclasses import dataclass

INK = "#010203"  # stands in for the page's own text colour until the SVG is put into a page


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours of a page and of the series on it."""

    background: str
    ink: str
    series: tuple[str, ...]


LIGHT = Theme(
    background="#ffffff",
    ink="#1b1f23",
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#684800", "#275169"),
)
DARK = Theme(
    background="#14171a",
    ink="#e4e7ea",
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
)

MOST = len(LIGHT.series)  # series in one chart: more cannot be distinguished
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: tuple[tuple[float, ...], ...] = ((), (5, 1.5), (1.5, 1.5), (7, 1.5, 1.5, 1.5), (3, 1), (5, 1, 1, 1, 1, 1))


def css(theme: Theme) -> str:
    """The custom properties that a page's style sheet gives its charts, e.g. `--series-1:#0072b2;`."""
    return "".join(f"--series-{number}:{colour};" for number, colour in enumerate(theme.series, start=1))
