"""A chart as SVG in a page, and as files for a paper or a slide: SVG, PDF and PNG of one figure, and its alt text."""

import io

from matplotlib.figure import Figure

from reports.figures.chart import Chart
from reports.figures.svg.canvas import drawn, raw
from reports.figures.svg.palette import INK, LIGHT
from reports.figures.svg.slim import slim

DPI = 200


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
    drawing = raw(chart, ink=ink, **looks)
    return slim(drawing, key=chart.key, title=chart.title, description=chart.alt_text(), ink=ink)


_PDF_LEFT_OUT = {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None}


def _saved(figure: Figure, kind: str, metadata: dict[str, str | None]) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=DPI, metadata=metadata)
    return out.getvalue()
