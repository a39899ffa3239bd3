"""What limited the ranks of a launch, as columns of its row: of several ranks, the one that was limited most."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.worker.job import RankResult


def _words(values: Sequence[str]) -> str:
    """Every word that some rank said, once."""
    return ", ".join(sorted({word for text in values for word in filter(None, text.split(", "))}))


# Column -> the rank's word for it, and how the ranks' values become one. Those of one host read the same control group:
# nothing is added up.
_TOGETHER: Mapping[str, tuple[str, Callable[[Sequence[Any]], Any]]] = dict(
    cpu_quota=("cpu_quota", min),
    throttled_s=("throttled", max),
    governor=("governor", _words),
    clock_cap_mhz=("clock_cap", min),
    turbo=("turbo", all),
    memory_limit_bytes=("memory_limit", min),
    memory_left_bytes=("memory_left", min),
    gpu_throttling=("gpu_throttling", _words),
)


def columns(results: Sequence[RankResult]) -> dict[str, Any]:
    """Every column of limits; None where no rank could tell, or there is no such limit: see `why_null`."""
    found = {}
    for column, (word, together) in _TOGETHER.items():
        values = [each.limits["values"][word] for each in results if word in each.limits["values"]]
        found[column] = together(values) if values else None
    return found


def why_null(results: Sequence[RankResult]) -> dict[str, str]:
    """A reason for each column that is None."""
    gaps = [each.limits["gaps"] for each in results]
    return {
        column: next((each[word] for each in gaps if (word := _TOGETHER[column][0]) in each), "no rank looked at it")
        for column, value in columns(results).items()
        if value is None
    }
