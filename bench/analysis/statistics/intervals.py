"""What repeated launches say about a rate, a ratio of rates, or a share: intervals.

Of rates, everything is done on logarithms, where a ratio is a difference: intervals are symmetric there, stay positive,
and agree with Fieller's while launches differ by less than about 5 %. The unit is the launch (or the complete round),
never the step: steps of one launch share its luck, and pooling them names two thirds of all equal pairs different
(tests/statistics). No bootstrap: over 3 to 10 launches its "95 %" covers 79 to 92 %.

Quantiles are from `scipy.special`: importing `scipy.stats`, which asks it for the same ones, takes half a second.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from bench.analysis.result import Estimate

LAUNCHES_FOR_AN_INTERVAL = 3  # two give a t interval of ±13 standard errors: true, and of no use
LEVEL = 0.95
SAME = 1e-12  # of shares


@dataclass(frozen=True)
class LogMean:
    """A mean of logarithms with its standard error and degrees of freedom."""

    mean: float
    std_err: float
    dof: float

    @classmethod
    def of(cls, logs: npt.ArrayLike) -> "LogMean":
        """Of two or more values of equal variance."""
        values = np.asarray(logs, dtype=np.float64)
        error = float(values.std(ddof=1)) / math.sqrt(len(values))
        return cls(float(values.mean()), error, len(values) - 1)

    @classmethod
    def difference(cls, a: "LogMean", b: "LogMean") -> "LogMean":
        """The difference a - b of independent means of unequal variance; degrees of freedom by Welch-Satterthwaite."""
        error = math.hypot(a.std_err, b.std_err)
        shares = [(each.std_err / error) ** 4 / each.dof for each in (a, b)] if error else [1.0]
        return cls(a.mean - b.mean, error, 1 / sum(shares))

    def interval(self, level: float) -> tuple[float, float]:
        """The t interval, as ratios."""
        half = student_t((1 + level) / 2, self.dof) * self.std_err
        return math.exp(self.mean - half), math.exp(self.mean + half)


def rate_interval(rates: Sequence[float]) -> Estimate:
    """Rate of a configuration: `exp(mean(L) ± t * sd(L) / sqrt(n))`, L the logs of its launches' rates.

    The estimate is the geometric mean, in the unit of the rates. With fewer than three launches `low` and `high` are
    None.

    Raises:
        ValueError: no rates, or one that is not a positive number.

    >>> rate_interval([90.0, 100.0, 110.0]).n
    3
    """
    return _estimate(_logs(rates), "t interval on log throughput over launches")


def paired_logs(a: Mapping[int, float], b: Mapping[int, float]) -> list[float]:
    """`ln(a / b)` of every round that has both, in order of rounds.

    What drifts with the machine over a study, but is common to a round, cancels here.

    Raises:
        ValueError: a rate that is not a positive number.
    """
    rounds = sorted(a.keys() & b.keys())
    if not rounds:
        return []
    _check([*(a[number] for number in rounds), *(b[number] for number in rounds)])
    return [math.log(a[number] / b[number]) for number in rounds]


def ratio_interval(a: Mapping[int, float], b: Mapping[int, float]) -> Estimate | None:
    """Ratio a / b paired by round: `exp(mean(d) ± t * sd(d) / sqrt(R))` with `d = ln(a / b)`; keys are rounds.

    None when no round has both. `n` counts complete rounds; with fewer than three, `low` and `high` are None.

    Raises:
        ValueError: a rate that is not a positive number.

    >>> ratio_interval({0: 200.0, 1: 200.0}, {0: 100.0, 1: 100.0}).estimate
    2.0
    """
    logs = paired_logs(a, b)
    return _estimate(logs, "t interval on log ratios paired by round") if logs else None


def welch_ratio(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """Ratio a / b of launches that share no rounds (other machines, other days): Welch's t interval on the logs.

    The arms may differ in variance and in size. `n` is the size of the smaller; with fewer than three there, `low` and
    `high` are None. Two machines give a statement about these two machines, not about their kinds.

    Raises:
        ValueError: an arm without rates, or a rate that is not a positive number.
    """
    x, y = _logs(a), _logs(b)
    n = min(len(x), len(y))
    estimate, method = math.exp(np.mean(x) - np.mean(y)), "Welch t interval on log throughput over launches"
    if n < LAUNCHES_FOR_AN_INTERVAL:
        return Estimate(estimate=estimate, low=None, high=None, n=n, method=method)
    low, high = LogMean.difference(LogMean.of(x), LogMean.of(y)).interval(LEVEL)
    return Estimate(estimate=estimate, low=low, high=high, n=n, method=method)


def share_estimate(values: Sequence[float], method: str) -> Estimate:
    """A share or a difference of shares with its t interval, without logarithms; none for fewer than three.

    Values that are all the same are shown as they are: launches of one seed often learn the same to the last bit, and a
    standard error of rounding is no spread.
    """
    if float(np.ptp(values)) < SAME:
        return Estimate(estimate=values[0], low=values[0], high=values[0], n=len(values), method=method)
    return share_mean(values, method)


def share_mean(values: Sequence[float], method: str) -> Estimate:
    """The plain mean of shares, with a t interval for three or more."""
    low, high = share_bounds(LogMean.of(values), LEVEL) if len(values) > 2 else (None, None)
    return Estimate(estimate=float(np.mean(values)), low=low, high=high, n=len(values), method=method)


def share_bounds(seen: LogMean, level: float) -> tuple[float, float]:
    """`LogMean.interval` without its exponential."""
    low, high = seen.interval(level)
    return math.log(low), math.log(high)


def _estimate(logs: Sequence[float], method: str) -> Estimate:
    estimate = math.exp(np.mean(logs))
    if len(logs) < LAUNCHES_FOR_AN_INTERVAL:
        return Estimate(estimate=estimate, low=None, high=None, n=len(logs), method=method)
    low, high = LogMean.of(logs).interval(LEVEL)
    return Estimate(estimate=estimate, low=low, high=high, n=len(logs), method=method)


def _logs(rates: Sequence[float]) -> list[float]:
    _check(rates)
    return [math.log(rate) for rate in rates]


def _check(rates: Sequence[float]) -> None:
    if not rates:
        raise ValueError("no rates")
    if not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise ValueError(f"rates must be positive numbers: {list(rates)}")


@lru_cache(maxsize=1024)
def student_t(probability: float, dof: float) -> float:
    """The quantile of Student's t."""
    return float(special.stdtrit(dof, probability))
