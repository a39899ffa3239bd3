"""A machine against itself: how far apart equal launches lie, and how often a verdict sees a difference there.

One configuration is launched again and again through the whole pipeline (`bench calibrate`). Comparisons of disjoint
sets of launches are independent, so their false alarms can be counted and given an interval; random halves of all
launches are many more, but share launches, so theirs is a rate without one.
"""

import math
import random
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats

from bench.analysis.comparing.nouns import Calibration, FalseAlarms
from bench.analysis.digits import percent
from bench.analysis.result import FASTER, SLOWER, Estimate
from bench.analysis.statistics import unpaired
from bench.analysis.statistics.intervals import LEVEL, welch_ratio
from bench.analysis.statistics.unpaired import Arm, Noise

SIDE = 6  # launches on each side of the disjoint comparisons, as in a study of six rounds
HALVES = 200
SHOWN_LAUNCHES = (3, 6, 10)


def calibrate(
    rates: Sequence[float],
    *,
    study_id: str,
    created_at: str,
    hw_id: str,
    workload: str,
    configuration: str,
    device: str,
    margin: float,
    seed: int,
) -> Calibration:
    """What equal launches say of the machine that ran them.

    Args:
        rates: samples per second of each launch, in the order they ran.
        study_id: the study they are in.
        created_at: UTC, ISO 8601.
        hw_id: of the machine.
        workload: `comparable.workload_key`.
        configuration: key of the one row.
        device: its kind.
        margin: practical margin of the verdicts that are tried.
        seed: of the coin that deals launches to the two sides.

    Raises:
        ValueError: fewer than six launches.
    """
    if len(rates) < 6:
        raise ValueError(f"{len(rates)} launches; six are the fewest that show a spread")
    logs = [math.log(rate) for rate in rates]
    spread, pairs = float(np.std(logs, ddof=1)), [a - b for a, b in zip(logs[0::2], logs[1::2], strict=False)]
    half = len(rates) // 2
    rng = random.Random(seed)
    return Calibration(
        study_id=study_id,
        created_at=created_at,
        hw_id=hw_id,
        workload=workload,
        configuration=configuration,
        device=device,
        launches=len(rates),
        cv=_spread(spread, len(rates) - 1, len(rates), "log rates of launches"),
        # Around zero, not around their mean: which of a pair ran first is the machine's drift, not a property of pairs.
        within_pairs=_spread(
            math.sqrt(float(np.mean(np.square(pairs))) / 2), len(pairs), len(pairs), "log rates within pairs"
        ),
        drift=welch_ratio(rates[half:], rates[:half]),
        disjoint=_disjoint(logs, margin, rng),
        halves=_halves(logs, margin, rng),
        launches_per_side=SIDE,
        margin=margin,
        detectable={count: unpaired.detectable_ratio(spread, count) for count in SHOWN_LAUNCHES},
    )


def of(
    calibrations: Iterable[Calibration], hw_id: str | None, workload: str, configuration: str, device: str
) -> Noise | None:
    """What the calibrations of a store say of one row; None when the machine was not calibrated for this work.

    That of the row itself, else of any row on the same kind of device; the newest.
    """
    fitting = [each for each in calibrations if (each.hw_id, each.workload, each.device) == (hw_id, workload, device)]
    if not fitting:
        return None
    best = max(fitting, key=lambda each: (each.configuration == configuration, each.created_at))
    pairs = best.launches // 2
    return Noise(
        spread=best.cv.estimate,
        pair_spread=math.sqrt(2) * best.within_pairs.estimate,
        dof=best.launches - 1,
        pair_dof=pairs,
        source=f"{best.configuration}, {best.launches} launches, CV {percent(best.cv.estimate)}",
    )


def rate_of(alarms: int, comparisons: int) -> FalseAlarms:
    """A count of independent comparisons with the exact 95 % interval of its rate (Clopper and Pearson, 1934)."""
    if not comparisons:
        return FalseAlarms(alarms=0, comparisons=0)
    bounds = stats.binomtest(alarms, comparisons).proportion_ci(LEVEL, method="exact")
    return FalseAlarms(alarms=alarms, comparisons=comparisons, low=float(bounds.low), high=float(bounds.high))


def _disjoint(logs: Sequence[float], margin: float, rng: random.Random) -> FalseAlarms:
    """Two launches in a row are a round, a coin says which is A's, and six rounds are a comparison."""
    alarms = comparisons = 0
    for first in range(0, len(logs) - 2 * SIDE + 1, 2 * SIDE):
        rounds = [rng.sample(logs[at : at + 2], 2) for at in range(first, first + 2 * SIDE, 2)]
        alarms += _is_alarm([a for a, _ in rounds], [b for _, b in rounds], margin)
        comparisons += 1
    return rate_of(alarms, comparisons)


def _halves(logs: Sequence[float], margin: float, rng: random.Random) -> FalseAlarms:
    half, alarms = len(logs) // 2, 0
    if half < unpaired.LAUNCHES_FOR_A_VERDICT:
        return FalseAlarms(alarms=0, comparisons=0)
    for _ in range(HALVES):
        dealt = rng.sample(logs, 2 * half)
        alarms += _is_alarm(dealt[:half], dealt[half:], margin)
    return FalseAlarms(alarms=alarms, comparisons=HALVES)


def _is_alarm(a: Sequence[float], b: Sequence[float], margin: float) -> bool:
    return unpaired.verdict(Arm(a), Arm(b), margin).word in {FASTER, SLOWER}


def _spread(spread: float, freedom: int, n: int, of_what: str) -> Estimate:
    """A standard deviation with its 95 % interval, `sd * sqrt(df / chi2)`, for logs that are near enough to normal."""
    low, high = (spread * math.sqrt(freedom / stats.chi2.ppf(p, freedom)) for p in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    return Estimate(estimate=spread, low=low, high=high, n=n, method=f"chi-square interval, {of_what}")
