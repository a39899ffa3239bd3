"""A chart as a matplotlib figure: the same for the page and for files. Only this room of the house loads matplotlib."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import fill
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine

from reports.figures.chart import Chart
from reports.figures.svg.palette import INK

WIDTH = 400 / 72  # inches: 400 units of the SVG, which a telephone shows at almost the size they were drawn for
UNITS = 72  # of the SVG in an inch
_TITLE_POINTS = 9.5

_STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine lays a figure out alike
    "font.size": 9.5,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markeredgewidth": 0,
    "lines.solid_capstyle": "butt",
    "lines.markersize": 5,
    "path.simplify": False,  # what is left out is said; nothing is left out silently
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "xtick.color": INK,
    "xtick.labelsize": 9.5,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": INK,
    "ytick.labelsize": 9.5,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def drawn(chart: Chart, *, ink: str = INK, titled: bool = False) -> Iterator[Figure]:
    """The figure of a chart, laid out, within the style in which it has to be saved.

    Args:
        chart: what to draw.
        ink: colour of text and axes.
        titled: with title and set-up inside the figure, for a file that stands alone.
    """
    style: dict[Any, Any] = {key: ink if value == INK else value for key, value in _STYLE.items()}
    # Over matplotlib's own defaults, not over what the user's configuration file says.
    with mpl.rc_context({**mpl.rcParamsDefault, "backend": mpl.rcParams["backend"], **style}):
        figure = Figure(figsize=(WIDTH, WIDTH * 0.62), dpi=UNITS)
        FigureCanvasSVG(figure)
        chart.draw(figure)
        if titled:
            _title(figure, chart)
        for axes in figure.axes:
            for artist in axes.get_children():
                artist.set_clip_on(False)  # marks at the edge stay whole; nothing is drawn beyond it
        # A figure that has this engine is drawn twice whenever it is saved: once only so that the engine is run.
        ConstrainedLayoutEngine().execute(figure)
        yield figure


def raw(chart: Chart, **looks: Any) -> str:
    """What matplotlib writes, with no date and no generator."""
    out = io.StringIO()
    with drawn(chart, **looks) as figure:
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()


def _title(figure: Figure, chart: Chart) -> None:
    lines = f"{chart.title}\n{fill(chart.setup, 70)}"
    # Room of its own: taken from a chart of one bar, nothing of the chart would be left.
    figure.set_figheight(figure.get_figheight() + (lines.count("\n") + 1.5) * 1.2 * _TITLE_POINTS / 72)
    if figure.legends:  # the layout would give a title the same room as a legend above the panels
        figure.legends[0].set_title(lines, prop=FontProperties(size=_TITLE_POINTS))
        figure.legends[0].set_alignment("left")
    else:
        figure.suptitle(lines, x=0.01, ha="left", fontsize=_TITLE_POINTS)
