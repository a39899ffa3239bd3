"""A chart as SVG to stand inside a page: its colours follow the page, and it needs nothing else."""

import io

from reports.figures.chart import Chart
from reports.figures.svg.canvas import drawn
from reports.figures.svg.palette import INK
from reports.figures.svg.slim import slim


def svg(chart: Chart) -> str:
    """An `<svg role="img">` with title and description; the same chart always gives the same bytes.

    Text and axes are `currentColor`, series `var(--series-1)` to `var(--series-6)` (`palette.css`), so that the page's
    style sheet makes it light or dark.
    """
    return slim(raw(chart), key=chart.key, title=chart.title, description=chart.alt_text(), ink=INK)


def raw(chart: Chart, **looks: object) -> str:
    """What matplotlib writes, with no date and no generator."""
    out = io.StringIO()
    with drawn(chart, **looks) as figure:  # type: ignore[arg-type]
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()
