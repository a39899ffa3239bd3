"""A verdict on launches that share no rounds: other studies, other days, other machines. Welch's t on logarithms.

Also a floor: a handful of launches can by luck lie closer together than the machine's launches do. Where a calibration
(`bench calibrate`) knows the machine's spread, a verdict must hold with that spread too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import special

from bench.analysis.digits import limit, percent, span
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER, Verdict
from bench.analysis.statistics.intervals import LogMean
from bench.analysis.statistics.verdicts import POWER, SIGNIFICANCE, judge

LAUNCHES_FOR_A_VERDICT = 5  # a side; the exact test of 5 + 5 reaches p = 2/252
EXACT_CHOICES = 20_000  # ways to split all launches in two; with more of them the mean of logs is near enough to normal


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What a calibration says of a machine's launches; a verdict may not assume less."""

    spread: float  # standard deviation of log rates
    pair_spread: float  # of the log ratio of two launches of one round
    dof: float  # degrees of freedom of `spread`
    pair_dof: float
    source: str  # e.g. "single-cpu-1x2, 12 launches"


@dataclass(frozen=True)
class Arm:
    """One side: the logarithms of its launches, and what its machine's calibration says of them."""

    logs: Sequence[float]
    noise: Noise | None = None

    @property
    def seen(self) -> LogMean:
        """Mean and standard error as these launches show them."""
        return LogMean.of(self.logs)

    @property
    def expected(self) -> LogMean:
        """The same, never closer together than the machine's launches are known to be."""
        if self.noise is None:
            return self.seen
        known = LogMean(self.seen.mean, self.noise.spread / math.sqrt(len(self.logs)), self.noise.dof)
        return known if known.std_err > self.seen.std_err else self.seen


def verdict(a: Arm, b: Arm, margin: float, launches_required: int = LAUNCHES_FOR_A_VERDICT) -> Verdict:
    """A word on B over A, and why it is that word.

    In this order:

    1. fewer than `launches_required` launches on a side: INCONCLUSIVE.
    2. EQUIVALENT when Welch's 90 % interval lies inside `[1 / (1 + margin), 1 + margin]` (two one-sided tests at 5 %).
    3. FASTER or SLOWER when the 95 % interval excludes 1 and the exact permutation test agrees (where it can be done).
    4. INCONCLUSIVE.

    2 and 3 must also hold with the calibrated spread of the machine where that is wider; else INCONCLUSIVE.
    EQUIVALENT wins over FASTER for the reason that `intervals.verdict` gives.

    Raises:
        ValueError: a margin that is not positive.
    """
    if margin <= 0:
        raise ValueError(f"the margin must be positive, not {margin}")
    n = min(len(a.logs), len(b.logs))
    if n < 2:
        return _too_few(n, launches_required, None)
    seen = LogMean.difference(b.seen, a.seen)
    expected = LogMean.difference(b.expected, a.expected)
    detectable = math.exp(_power_factor(expected.dof) * expected.std_err)
    if n < launches_required:
        return _too_few(n, launches_required, detectable)

    judged = judge(seen, margin)
    word, reason = judged.word, judged.reason(limit(margin))
    if word == EQUIVALENT and judged.excludes_one:
        reason += "; the difference is not chance, but too small to matter"
    if word in {FASTER, SLOWER} and (p := _exact(a.logs, b.logs)) is not None and p >= SIGNIFICANCE:
        word, reason = (
            INCONCLUSIVE,
            f"{reason}, but the exact permutation test does not agree (p = {p:.2g})",
        )
    spread = math.hypot(a.expected.std_err * math.sqrt(len(a.logs)), b.expected.std_err * math.sqrt(len(b.logs)))
    needed = launches_needed(spread, margin)
    if word == INCONCLUSIVE:
        return _undecided(reason, needed, margin, n, detectable)
    found = Verdict(
        word=word,
        reasons=(reason,),
        detectable=detectable,
        rounds_needed=None,
        beyond_margin=judged.beyond_margin,
    )
    sources = [arm.noise.source for arm in (a, b) if arm.noise is not None and arm.expected != arm.seen]
    return softened(found, expected, margin, sources, needed if needed > n else None) if sources else found


def softened(
    found: Verdict, expected: LogMean, margin: float, sources: Sequence[str], needed: int | None = None
) -> Verdict:
    """The same verdict with a remark, or INCONCLUSIVE if it does not hold with the machine's own spread.

    Args:
        found: by what the launches themselves show.
        expected: the log ratio with the spread that the machine is known to have.
        margin: of the verdict.
        sources: the calibrations that say so.
        needed: launches (or rounds) that would show the margin with that spread; None when these are enough.
    """
    width = (
        f"the interval is narrower than this machine's own spread (calibrated on {'; '.join(dict.fromkeys(sources))})"
    )
    judged = judge(expected, margin)
    if judged.word == found.word:
        beyond = found.beyond_margin and judged.beyond_margin
        reasons = (*found.reasons, f"{width}; the verdict holds with that too")
        return replace(found, reasons=reasons, beyond_margin=beyond)
    doubt = f"{width}, with which it is {span(*judged.interval)}"
    return replace(
        found,
        word=INCONCLUSIVE,
        reasons=(*found.reasons, f"{doubt}: not enough for {found.word}"),
        rounds_needed=needed,
        beyond_margin=False,
    )


def detectable_ratio(spread: float, launches: int) -> float:
    """Smallest true ratio that `verdict` would call with 80 % power, from this many launches on each side.

    `exp((t_.975,df + t_.80,df) * spread * sqrt(2 / n))` with `df = 2 (n - 1)`; `spread` is the standard deviation of
    the logs of launches, alike on both sides.
    """
    return math.exp(_power_factor(2 * (launches - 1)) * spread * math.sqrt(2 / launches))


def launches_needed(spread: float, margin: float, at_least: int = LAUNCHES_FOR_A_VERDICT) -> int:
    """Launches on each side that would tell a difference as large as the margin from none, with 80 % power.

    `spread` is that of the log ratio of one launch of each side: `sqrt(sd_a^2 + sd_b^2)`.
    """
    target = math.log1p(margin)
    normal = float(special.ndtri(1 - SIGNIFICANCE / 2) + special.ndtri(POWER)) * spread / target
    launches = max(at_least, 2, math.floor(normal**2))  # t is wider than normal, so it is never below this
    while _power_factor(2 * (launches - 1)) * spread / math.sqrt(launches) > target:
        launches += 1
    return launches


def _undecided(reason: str, needed: int, margin: float, n: int, detectable: float) -> Verdict:
    if needed > n:
        advice = f"they could show {percent(detectable - 1)}; {needed} launches a side would show {limit(margin)}"
    else:
        advice = f"{n} launches a side are enough to see {limit(margin)}: the difference is too near to a limit to call"
    return Verdict(
        word=INCONCLUSIVE,
        reasons=(reason, advice),
        detectable=detectable,
        rounds_needed=needed if needed > n else None,
    )


def _too_few(n: int, required: int, detectable: float | None) -> Verdict:
    reason = f"{n} launch{'es' * (n != 1)} on a side; a verdict needs {required}"
    return Verdict(word=INCONCLUSIVE, reasons=(reason,), detectable=detectable, rounds_needed=required)


def _exact(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Two-sided p over all ways to deal the launches to the two sides; None where they are too many, or too few."""
    choices = math.comb(len(a) + len(b), len(a))
    if choices > EXACT_CHOICES or 2 / choices >= SIGNIFICANCE:
        return None
    from scipy import stats  # noqa: PLC0415 - takes half a second, and is for the few launches it can deal out

    test = stats.permutation_test(
        (np.asarray(a), np.asarray(b)),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        permutation_type="independent",
        vectorized=True,
        n_resamples=EXACT_CHOICES,
    )
    return float(test.pvalue)


@lru_cache(maxsize=1024)
def _power_factor(dof: float) -> float:
    return float(special.stdtrit(dof, 1 - SIGNIFICANCE / 2) + special.stdtrit(dof, POWER))
