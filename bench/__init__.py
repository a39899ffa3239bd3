"""How does training scale on this hardware, can the number be trusted, and would another machine agree?"""

from typing import TYPE_CHECKING

from bench.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["__version__", "load"]


def load(store: "str | Path", table: str) -> "pd.DataFrame":
    """One table of a store (launches, steps, epochs, classes, layers or dna) as a frame, a row for each of its rows.

    Raises:
        bench.errors.UsageError: no such store or table.
    """
    from bench.store.read import load as read  # noqa: PLC0415 - pandas only when a frame is asked for

    return read(store, table)
