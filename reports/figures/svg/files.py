"""A chart as SVG in a page, and as files for a paper or a slide: SVG, PDF and PNG of one figure, and its alt text.

Only this module loads matplotlib before something is drawn.
"""

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
from reports.figures.svg.palette import INK, LIGHT
from reports.figures.svg.slim import slim

DPI = 200
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


def _title(figure: Figure, chart: Chart) -> None:
    lines = f"{chart.title}\n{fill(chart.setup, 70)}"
    # Room of its own: taken from a chart of one bar, nothing of the chart would be left.
    figure.set_figheight(figure.get_figheight() + (lines.count("\n") + 1.5) * 1.2 * _TITLE_POINTS / 72)
    if figure.legends:  # the layout would give a title the same room as a legend above the panels
        figure.legends[0].set_title(lines, prop=FontProperties(size=_TITLE_POINTS))
        figure.legends[0].set_alignment("left")
    else:
        figure.suptitle(lines, x=0.01, ha="left", fontsize=_TITLE_POINTS)


def inline(chart: Chart) -> str:
    """For use inside a page: an `<svg role="img">` with title and description, whose colours follow the page.

    Text and axes are `currentColor`, series `var(--series-1)` to `var(--series-6)` (`palette.css`), so that the page's
    style sheet makes it light or dark. The same chart always gives the same bytes.
    """
    return _svg(chart, ink=INK)


def render(chart: Chart) -> dict[str, bytes]:
    """What to append to the chart's key -> the bytes of the file: `.svg`, `.pdf`, `.png` and `.txt`, the alt text.

    On white, with title and set-up inside. The same chart always gives the same bytes.
    """
    alt_text = chart.alt_text()
    text = _svg(chart, ink=LIGHT.ink, titled=True)
    with drawn(chart, ink=LIGHT.ink, titled=True) as figure:
        figure.set_facecolor(LIGHT.background)
        pdf = _saved(figure, "pdf", {"Title": chart.title, "Subject": alt_text, **_PDF_LEFT_OUT})
        png = _saved(figure, "png", {"Title": chart.title, "Description": alt_text, "Software": None})
    return {".svg": f"{text}\n".encode(), ".pdf": pdf, ".png": png, ".txt": f"{alt_text}\n".encode()}


def _svg(chart: Chart, ink: str, **looks: bool) -> str:
    """Slimmed, with no date and no generator."""
    out = io.StringIO()
    with drawn(chart, ink=ink, **looks) as figure:
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return slim(out.getvalue(), key=chart.key, title=chart.title, description=chart.alt_text(), ink=ink)


_PDF_LEFT_OUT = {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None}


def _saved(figure: Figure, kind: str, metadata: dict[str, str | None]) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=DPI, metadata=metadata)
    return out.getvalue()
