"""What charts are drawn with: series in their colours, ticks, keys of a legend, labels at the ends of lines.

Matplotlib is loaded when something is drawn, so that a page can be put together without it.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from reports.figures.svg.palette import DASHES, LIGHT, MARKERS
from reports.text import fmt

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes  # noqa: PLC0414 - for the charts
    from matplotlib.figure import Figure as Figure  # noqa: PLC0414 - for the charts
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
else:
    Axes = Figure = Line2D = Patch = Any

TIP = "tip:"  # an artist whose id begins so has the rest as its hover text in the SVG
DOTS = "dots:"  # markers of an artist whose id begins so become paths in the SVG; then diameter and hover texts
FAINT = 0.35
BAND = 0.16
GRID = 0.14
LINE_HEIGHT = 11.5  # points


def ink() -> Any:
    """The colour of text and axes in the figure being drawn."""
    from matplotlib import rcParams  # noqa: PLC0415

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


def line(axes: Axes, along: Sequence[float], values: Sequence[float], number: int, **looks: Any) -> None:
    """The line of the series with this number, with about twelve markers however many points it has."""
    axes.plot(along, values, markersize=3.5, markevery=max(1, len(values) // 12), **series(number), **looks)


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
    axes.xaxis.set_major_formatter(tick)
    axes.yaxis.set_major_formatter(tick)


def percent_ticks(axis: Any) -> None:
    """Fractions as per cent."""
    axis.set_major_formatter(lambda value, _: f"{tick(100 * value)}{fmt.NARROW}%")


def ticks_at(axis: Any, places: Iterable[float]) -> None:
    """Exactly these, and none between them."""
    from matplotlib.ticker import FixedLocator, NullLocator  # noqa: PLC0415

    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_minor_locator(NullLocator())


def ticks_at_most(axis: Any, many: int, *, whole: bool = False) -> None:
    """At round numbers, about so many of them."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axis.set_major_locator(MaxNLocator(many, integer=whole))


def patch(number: int, label: str) -> Patch:
    """The key of a series of bars in a legend."""
    from matplotlib.patches import Patch  # noqa: PLC0415

    return Patch(color=colour(number), label=label)


def stroke(label: str, **looks: Any) -> Line2D:
    """The key of a line in a legend."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    return Line2D([], [], label=label, **looks)


def squares(axes: Axes, corners: Sequence[tuple[int, int]], color: str, opacity: float) -> None:
    """Cells of a grid, one unit wide, by their upper left corners."""
    from matplotlib.collections import PolyCollection  # noqa: PLC0415

    cells = [((x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)) for x, y in corners]
    axes.add_collection(PolyCollection(cells, facecolor=color, alpha=opacity, linewidth=0), autolim=False)


def tick(value: float, _: float | None = None) -> str:
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
