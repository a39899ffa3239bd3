"""Lines over epochs, each with a few markers however many epochs there are."""

from collections.abc import Sequence
from typing import Any

from reports.figures.svg import marks

_MARKED = 12  # markers on a line


def line(axes: marks.Axes, along: Sequence[float], values: Sequence[float], index: int, tip: str, **looks: Any) -> None:
    """The line of the series with this index; says what it is where there is a tip."""
    axes.plot(
        along,
        values,
        markersize=3.5,
        markevery=max(1, len(values) // _MARKED),
        gid=marks.tip(tip) if tip else None,
        **marks.series(index),
        **looks,
    )
