"""How much of long data is drawn or listed, so that a page stays small; a chart's words say what is left out."""

from collections.abc import Sequence
from typing import TypeVar

LISTED_LAUNCHES = 100  # more are listed as rows, and their dots have no names: 50 bytes each
LISTED_EPOCHS = 25  # of one run

Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly spread, the first and the last among them.

    >>> spread(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
