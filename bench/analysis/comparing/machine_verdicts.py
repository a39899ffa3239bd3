"""Each machine of several against the median of the others: a verdict for each, at 5 % over all of them together.

A statement about these boxes, with launches as replicates, as `bench.analysis.statistics.unpaired` makes about two. It
has power where a test for outliers over a handful of machines has none, and says less: not that a machine is no longer
one of its kind, but that it is slower than the others here. The median, because the others must not look fast beside a
slow one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bench.analysis.digits import limit, span
from bench.analysis.result import INCONCLUSIVE, Estimate, Verdict
from bench.analysis.statistics.intervals import LAUNCHES_FOR_AN_INTERVAL, LEVEL, POWER, SIGNIFICANCE, LogMean, judge

METHOD = "t interval of log throughput over the median of the other machines, by the wider of own and pooled spread"


@dataclass(frozen=True)
class MachineRatio:
    """One machine over the median of the others."""

    seen: LogMean
    launches: int

    @property
    def ratio(self) -> Estimate:
        """With its own 95 % interval; the verdict's is wider, because there are several."""
        low, high = self.seen.interval(LEVEL) if self.launches >= LAUNCHES_FOR_AN_INTERVAL else (None, None)
        return Estimate(estimate=math.exp(self.seen.mean), low=low, high=high, n=self.launches, method=METHOD)


def over_the_others(logs: Sequence[Sequence[float]]) -> list[MachineRatio]:
    """Every machine over the median of the others.

    Args:
        logs: of each machine, the logarithms of its launches' rates; one at least of each, two of some machine.
    """
    each = _with_pooled_spread(logs)
    return [MachineRatio(_over_the_others(each, place), len(mine)) for place, mine in enumerate(logs)]


def verdicts(found: Sequence[MachineRatio], doubts: Sequence[Sequence[str]], margin: float) -> list[Verdict]:
    """A word for each machine; FASTER or SLOWER is wrong of any of them at most once in 20.

    EQUIVALENT when the 90 % interval lies within the margin; FASTER or SLOWER when the interval at Holm's level
    excludes 1; else INCONCLUSIVE. Below three launches, or with doubts about a machine, INCONCLUSIVE.
    """
    levels = _holm([_chance(each.seen) for each in found])
    return [
        _verdict(each, level, doubt, margin, len(found))
        for each, level, doubt in zip(found, levels, doubts, strict=True)
    ]


def _verdict(found: MachineRatio, level: float, doubts: Sequence[str], margin: float, machines: int) -> Verdict:
    seen, quantile = found.seen, special.stdtrit(found.seen.dof, 1 - SIGNIFICANCE / (2 * machines))
    detectable = math.exp((float(quantile) + float(special.stdtrit(seen.dof, POWER))) * seen.std_err)
    few = f"{found.launches} launch{'es' * (found.launches != 1)}; an interval needs {LAUNCHES_FOR_AN_INTERVAL}"
    refused = [*doubts, *([few] if found.launches < LAUNCHES_FOR_AN_INTERVAL else [])]
    judged = judge(seen, margin, level)
    interval = f"the {limit(level)} interval {span(*judged.interval)} over the others"
    reason = judged.reason("the margin", within="the margin", interval=interval)
    return Verdict(
        word=INCONCLUSIVE if refused else judged.word,
        reasons=(*refused, *([] if found.launches < LAUNCHES_FOR_AN_INTERVAL else [reason])),
        detectable=detectable,
        rounds_needed=None,
        beyond_margin=judged.beyond_margin and not refused,
    )


def _with_pooled_spread(logs: Sequence[Sequence[float]]) -> list[LogMean]:
    """Mean and error of each machine, by the wider of its own spread and that of all launches around their means.

    A few launches lie close together by luck; and one machine with a wild launch must not be judged by the calm of the
    others.
    """
    dof = sum(len(each) - 1 for each in logs)
    squares = sum(float(np.sum((np.asarray(each) - np.mean(each)) ** 2)) for each in logs)
    pooled = math.sqrt(squares / dof) if dof else math.inf
    found = []
    for each in logs:
        floor = LogMean(float(np.mean(each)), pooled / math.sqrt(len(each)), max(1, dof))
        own = LogMean.of(each) if len(each) > 1 else floor
        found.append(own if own.std_err > floor.std_err else floor)
    return found


def _over_the_others(each: Sequence[LogMean], place: int) -> LogMean:
    others = sorted((one for number, one in enumerate(each) if number != place), key=lambda one: one.mean)
    low, high = others[(len(others) - 1) // 2], others[len(others) // 2]
    if low is high:
        return LogMean.difference(each[place], low)
    middle = LogMean.difference(LogMean(low.mean / 2, low.std_err / 2, low.dof), _negative_half(high))
    return LogMean.difference(each[place], middle)


def _negative_half(one: LogMean) -> LogMean:
    return LogMean(-one.mean / 2, one.std_err / 2, one.dof)


def _chance(seen: LogMean) -> float:
    """Two-sided p of no difference."""
    if not seen.std_err:
        return 1.0 if not seen.mean else 0.0
    return 2 * float(special.stdtr(seen.dof, -abs(seen.mean) / seen.std_err))


def _holm(chances: Sequence[float]) -> list[float]:
    """The level of each interval: Holm's step-down (Scandinavian Journal of Statistics 6, 1979, 65-70), 5 % over all.

    The smallest p is compared with 5 % / m, the next with 5 % / (m - 1), and so on; from the first that is not below
    it on, all intervals are taken at that level.
    """
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    levels, left = [LEVEL] * len(chances), len(chances)
    for number, place in enumerate(order):
        left = len(chances) - number
        levels[place] = 1 - SIGNIFICANCE / left
        if chances[place] >= SIGNIFICANCE / left:
            for rest in order[number:]:
                levels[rest] = 1 - SIGNIFICANCE / left
            break
    return levels
