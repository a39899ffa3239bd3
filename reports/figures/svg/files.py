"""A chart as files for a paper, a slide or a README: SVG, PDF and PNG of one figure, and what to say of it."""

import io

from matplotlib.figure import Figure

from reports.figures.chart import Chart
from reports.figures.svg.canvas import drawn
from reports.figures.svg.inline import raw
from reports.figures.svg.palette import LIGHT
from reports.figures.svg.slim import slim

DPI = 200


def render(chart: Chart) -> dict[str, bytes]:
    """What to append to the chart's key -> the bytes of the file: `.svg`, `.pdf`, `.png` and `.txt`, the alt text.

    On white, with title and set-up inside. The same chart always gives the same bytes.
    """
    alt_text = chart.alt_text()
    text = slim(
        raw(chart, ink=LIGHT.ink, titled=True), key=chart.key, title=chart.title, description=alt_text, ink=LIGHT.ink
    )
    with drawn(chart, ink=LIGHT.ink, titled=True) as figure:
        figure.set_facecolor(LIGHT.background)
        pdf = _saved(figure, "pdf", {"Title": chart.title, "Subject": alt_text, **_PDF_LEFT_OUT})
        png = _saved(figure, "png", {"Title": chart.title, "Description": alt_text, "Software": None})
    return {".svg": f"{text}\n".encode(), ".pdf": pdf, ".png": png, ".txt": f"{alt_text}\n".encode()}


_PDF_LEFT_OUT = {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None}


def _saved(figure: Figure, kind: str, metadata: dict[str, str | None]) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=DPI, metadata=metadata)
    return out.getvalue()
