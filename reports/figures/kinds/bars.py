"""Horizontal bars from 0, one to each row: the frame, a bar, a stroke across it, the number behind it."""

from collections.abc import Sequence
from typing import Any

from reports.figures.svg import marks

ROW = 22 / 72  # inches for one bar
THICK = 0.62
_AXIS = 42 / 72


def axes_of(figure: marks.Figure, labels: Sequence[str], extra: float = 0, row: float = ROW) -> marks.Axes:
    """Axes with a named place for each bar, first on top."""
    figure.set_figheight(_AXIS + extra + row * max(1, len(labels)))
    axes: marks.Axes = figure.add_subplot()
    marks.plain_axes(axes, x=True, y=False)
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
    axes.set_ylim(max(1, len(labels)) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    return axes


def bar(axes: marks.Axes, place: int, length: float, tip: str, thick: float = THICK, **looks: Any) -> None:
    """One bar that says what it is."""
    axes.barh(place, length, thick, gid=marks.tip(tip), **{"color": marks.colour(0), **looks})


def stroke(axes: marks.Axes, x: float, place: float, half: float, linewidth: float) -> None:
    """A line across a bar."""
    axes.vlines(x, place - half, place + half, color=marks.ink(), linewidth=linewidth)


def value(axes: marks.Axes, x: float, y: float, text: str) -> None:
    """The bar's number just behind its end; it may stand outside of the axes."""
    axes.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", va="center", annotation_clip=False)


def _short(label: str, most: int = 26) -> str:
    """Without its middle: the end distinguishes rows, as in `ddp on 2 ranks with 4 cores`."""
    half = most // 2
    return label if len(label) <= most else f"{label[: most - half - 1].rstrip()}…{label[-half:].lstrip()}"
