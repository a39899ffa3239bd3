"""Lines over epochs, each with a few markers however many epochs there are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.figures.svg import marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKED = 12  # markers on a line


def line(axes: "Axes", along: Sequence[float], values: Sequence[float], number: int, tip: str, **looks: Any) -> None:
    """The line of the series with this number; says what it is where there is a tip."""
    axes.plot(
        along,
        values,
        markersize=3.5,
        markevery=max(1, len(values) // _MARKED),
        gid=marks.tip(tip) if tip else None,
        **marks.series(number),
        **looks,
    )
