"""A measured ceiling: how often, its middle and its spread."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any


def summary(values: Sequence[float], **more: Any) -> dict[str, Any]:
    """Count, median and spread of what was measured, in the unit of `values`.

    Returns:
        `n`, `median`, and `spread`: the range of the middle half over the median; with what is given besides.
    """
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"n": len(values), "median": _rounded(median), "spread": _rounded((high - low) / median), **more}


def times_s(
    work: Callable[[], object], n: int, *, warm_up: int = 2, wait: Callable[[], object] = lambda: None
) -> list[float]:
    """Seconds that each of `n` calls took, after `warm_up` more.

    Args:
        work: what is timed.
        n: calls that count.
        warm_up: calls before them that do not.
        wait: returns once what `work` began has ended.
    """
    taken = []
    for _ in range(warm_up + n):
        began = time.perf_counter()
        work()
        wait()
        taken.append(time.perf_counter() - began)
    return taken[warm_up:]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
