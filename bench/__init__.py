"""How does training scale on this hardware, can the number be trusted, and would another machine agree?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["__version__", "load"]


def load(store: str | Path, table: str) -> "pd.DataFrame":
    """One table of a store (launches, steps, epochs, classes, layers or dna) as a frame, a row for each of its rows.

    Raises:
        bench.errors.UsageError: no such store or table.
    """
    from bench.store.read import load as read  # noqa: PLC0415 - pandas only when a frame is asked for

    return read(store, table)


def __getattr__(name: str) -> Any:
    if name != "__version__":
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow, and rarely asked for

    try:
        return version("scaling-bench")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
