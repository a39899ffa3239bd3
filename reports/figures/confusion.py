"""What was called what: a grid of cells, darker the more often."""

from collections import defaultdict

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from reports.figures import data
from reports.figures.facts import cells
from reports.figures.svg import marks
from reports.text import fmt

NUMBERED = 12  # classes: more leave no room for numbers in the cells
NAMED = 40  # classes: more leave no room for names at the edges
SHADES = 12
DARKEST = 0.6  # opacity at which a number on the cell is still read at 4.5 : 1, on a light and on a dark page


def confusion(figure: Figure, chart: data.Confusion) -> None:
    """One colour whose opacity is the share of the row, so that it works on a light and on a dark page."""
    many = len(chart.names)
    figure.set_figheight(figure.get_figwidth() * 0.92)
    axes: Axes = figure.add_subplot()
    axes.set_aspect("equal")
    axes.set_xlim(0, many)
    axes.set_ylim(many, 0)
    shades = defaultdict(list)
    for row, counts in enumerate(chart.counts):
        total = sum(counts)
        for column, count in enumerate(counts):
            shade = shade_of(count, total, many)
            if shade:
                x, y = column, row
                shades[shade].append(((x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)))
    for shade, squares in sorted(shades.items()):
        axes.add_collection(
            PolyCollection(squares, facecolor=marks.colour(0), alpha=DARKEST * shade / SHADES, linewidth=0),
            autolim=False,
        )
    if many <= NUMBERED:
        size = 9.5 if many <= 6 else 8
        for row, values in enumerate(cells(chart)):
            for column, value in enumerate(values):
                text = axes.text(column + 0.5, row + 0.5, _cell(value, chart), ha="center", va="center", fontsize=size)
                text.set_in_layout(False)  # it is inside: measuring a hundred of them takes most of the time
    ticks = [place + 0.5 for place in range(many)] if many <= NAMED else []
    names = [name if len(name) <= 14 else f"{name[:13]}…" for name in chart.names] if ticks else []
    size = 9.5 if many <= NUMBERED else 6.5
    axes.set_xticks(ticks, names, rotation=90 if many > 5 else 0, fontsize=size)
    axes.set_yticks(ticks, names, fontsize=size)
    axes.set_xlabel("called")
    axes.set_ylabel("is")
    for spine in axes.spines.values():
        spine.set_visible(True)


def shade_of(count: int, total: int, classes: int) -> int:
    """How dark, 0 to SHADES: to the nearest where there are many classes, so that small shares stay blank; else up."""
    if not total:
        return 0
    return round(SHADES * count / total) if classes > NUMBERED else -(-SHADES * count // total)


def _cell(value: float | None, chart: data.Confusion) -> str:
    """Nothing for a zero: the eye should find what there is."""
    if not value:
        return ""
    return fmt.number(100 * value, 0 if value >= 0.095 else 1) if chart.normalised else fmt.number(value)
