"""How much of long data is drawn or listed, so that a page stays small; a chart's words say what is left out."""

from collections.abc import Sequence
from typing import TypeVar

from reports.figures import data

POINTS = 1100  # of all lines of step times in one chart
FEWEST_STRETCHES = 12  # of one launch
LINES = POINTS // FEWEST_STRETCHES  # launches drawn in one chart
FEWEST_LINES = 3  # launches drawn in one panel
LISTED_LAUNCHES = 100  # more are listed as rows, and their dots have no names: 50 bytes each
LISTED_EPOCHS = 25  # of one run
LISTED_CLASSES = 20  # a larger confusion matrix is listed as its largest cells
LISTED_CELLS = 40

Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly spread, the first and the last among them.

    >>> spread(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def lines_of(chart: data.Steadiness) -> int:
    """How many launches a panel draws at most."""
    return max(FEWEST_LINES, LINES // max(1, len(chart.rows)))


def stretches_of(chart: data.Steadiness) -> int:
    """In how many stretches a launch is drawn that has more steps."""
    most = lines_of(chart)
    drawn = sum(min(most, len(row.launches)) for row in chart.rows)
    return max(FEWEST_STRETCHES, POINTS // max(1, drawn))
