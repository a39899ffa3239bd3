"""What limited the ranks of a launch, as columns of its row: of several ranks, the one that was limited most."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.worker.job import RankResult


def _words(values: Sequence[str]) -> str:
    """Every word that some rank said, once."""
    return ", ".join(sorted({word for text in values for word in filter(None, text.split(", "))}))


# How the ranks' values become one. Ranks of one host read the same control group: nothing is added up.
_TOGETHER: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "cpu_quota": min,
    "throttled": max,
    "governor": _words,
    "clock_cap": min,
    "turbo": all,
    "memory_limit": min,
    "memory_left": min,
    "gpu_throttling": _words,
}


def columns(told: Sequence[RankResult]) -> dict[str, Any]:
    """Every column of limits; None where no rank could tell, or there is no such limit: see `why_null`."""
    return _as_columns({name: _together(told, name) for name in _TOGETHER})


def why_null(told: Sequence[RankResult]) -> dict[str, str]:
    """A reason for each column that is None."""
    reasons = {
        name: next((each.limits["gaps"][name] for each in told if name in each.limits["gaps"]), "no rank looked at it")
        for name in _TOGETHER
        if _together(told, name) is None
    }
    return {column: reason for column, reason in _as_columns(reasons).items() if reason is not None}


def _together(told: Sequence[RankResult], name: str) -> Any:
    values = [each.limits["values"][name] for each in told if name in each.limits["values"]]
    return _TOGETHER[name](values) if values else None


def _as_columns(found: Mapping[str, Any]) -> dict[str, Any]:
    return dict(
        cpu_quota=found.get("cpu_quota"),
        throttled_s=found.get("throttled"),
        governor=found.get("governor"),
        clock_cap_mhz=found.get("clock_cap"),
        turbo=found.get("turbo"),
        memory_limit_bytes=found.get("memory_limit"),
        memory_left_bytes=found.get("memory_left"),
        gpu_throttling=found.get("gpu_throttling"),
    )
