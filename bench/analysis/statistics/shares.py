"""Intervals of shares and of their differences, on the numbers themselves: no ratio is asked, so no logarithm."""

import math
from collections.abc import Sequence

import numpy as np

from bench.analysis.result import Estimate
from bench.analysis.statistics.intervals import LEVEL, LogMean

SAME = 1e-12  # of shares


def share_estimate(values: Sequence[float], method: str) -> Estimate:
    """A share or a difference of shares with its t interval, without logarithms; none for fewer than three.

    Values that are all the same are shown as they are: launches of one seed often learn the same to the last bit, and a
    standard error of rounding is no spread.
    """
    mean = float(np.mean(values))
    if float(np.ptp(values)) < SAME:
        return Estimate(estimate=values[0], low=values[0], high=values[0], n=len(values), method=method)
    if len(values) < 3:
        return Estimate(estimate=mean, low=None, high=None, n=len(values), method=method)
    low, high = share_bounds(LogMean.of(values), LEVEL)
    return Estimate(estimate=mean, low=low, high=high, n=len(values), method=method)


def share_mean(values: Sequence[float], method: str) -> Estimate:
    """The plain mean of shares, with a t interval for three or more."""
    low, high = share_bounds(LogMean.of(values), LEVEL) if len(values) > 2 else (None, None)
    return Estimate(estimate=float(np.mean(values)), low=low, high=high, n=len(values), method=method)


def share_bounds(seen: LogMean, level: float) -> tuple[float, float]:
    """`LogMean.interval` without its exponential."""
    low, high = seen.interval(level)
    return math.log(low), math.log(high)
