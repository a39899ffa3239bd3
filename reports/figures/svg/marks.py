"""What several charts have in common: series in their colours, labels at the ends of lines, bars' values."""

from collections.abc import Sequence
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from reports.figures.svg.palette import DASHES, LIGHT, MARKERS
from reports.text import fmt

TIP = "tip:"  # an artist whose id begins so has the rest as its hover text in the SVG
DOTS = "dots:"  # markers of an artist whose id begins so become paths in the SVG; then diameter and hover texts
FAINT = 0.35
BAND = 0.16
GRID = 0.14
LINE_HEIGHT = 11.5  # points


def ink() -> Any:
    """The colour of text and axes in the figure being drawn."""
    return rcParams["text.color"]


def series(number: int) -> dict[str, Any]:
    """Colour, marker and dash of the series with this number, from 0."""
    return {
        "color": LIGHT.series[number],
        "marker": MARKERS[number],
        "dashes": DASHES[number] or (None, None),
    }


def colour(number: int) -> str:
    """The colour alone."""
    return LIGHT.series[number % len(LIGHT.series)]


def tip(text: str) -> str:
    """The id that makes a hover text; see `slim`."""
    return TIP + fmt.clean(text)


def faint_dots(
    axes: Axes, places: Sequence[tuple[float, float]], color: Any, diameter: float = 3, tips: Sequence[str] = ()
) -> None:
    """Single launches behind their estimate; with a tip for each, each says what it is."""
    if places:
        axes.plot(
            *zip(*places, strict=True),
            "o",
            color=color,
            alpha=FAINT,
            markersize=diameter,
            markeredgewidth=0,
            gid="|".join([f"{DOTS}{diameter:g}", *map(fmt.clean, tips)]),
        )


def plain_axes(axes: Axes, *, x: bool = False, y: bool = True) -> None:
    """Our number format and faint lines behind the marks."""
    axes.set_axisbelow(True)
    for wanted, axis in ((x, axes.xaxis), (y, axes.yaxis)):
        if wanted:
            axis.grid(visible=True, color=ink(), alpha=GRID, linewidth=0.6)
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.yaxis.set_major_formatter(FuncFormatter(tick))


def percent_ticks(axis: Any) -> None:
    """Fractions as per cent."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{tick(100 * value)}{fmt.NARROW}%"))


def tick(value: float, _: int | None = None) -> str:
    """A number at an axis, without zeros that say nothing."""
    text = fmt.number(value, 6)
    return text.rstrip("0").rstrip(".") if "." in text else text


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str]]) -> None:
    """Texts right of points (x, y, text) in data coordinates, pushed apart where they would overlap.

    The limits of the axes have to be set.
    """
    figure = axes.figure
    height = axes.get_window_extent().height or figure.bbox.height
    low, high = axes.transData.transform([(0, limit) for limit in axes.get_ylim()])[:, 1]
    per_point = figure.dpi / 72
    scale = height / (high - low) if high > low else 1.0
    places = sorted(
        ((axes.transData.transform((x, y))[1] - low) * scale / per_point, x, y, text) for x, y, text in ends
    )
    taken = -LINE_HEIGHT
    for place, x, y, text in places:
        free = max(place, taken + LINE_HEIGHT)
        taken = free
        axes.annotate(
            text, (x, y), xytext=(8, free - place), textcoords="offset points", va="center", annotation_clip=False
        )
