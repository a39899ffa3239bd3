"""Intervals first, verdicts second: what repeated launches say about a rate, a ratio of rates, or a share.

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

from bench.analysis.digits import limit, percent, span
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER, Estimate, Verdict

ROUNDS_FOR_A_VERDICT = 6  # the fewest at which the exact test can reach 5 %: its smallest p is 2 / 2^rounds
LAUNCHES_FOR_AN_INTERVAL = 3  # two give a t interval of ±13 standard errors: true, and of no use
LEVEL = 0.95
SIGNIFICANCE = 0.05
POWER = 0.80
EXACT_ROUNDS = 14  # 16384 choices of signs; with more rounds the mean of logs is near enough to normal
SAME = 1e-12  # of shares
_EQUAL = 1e-13  # of the numbers' size: sums of the same numbers in another order differ by less


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
        half = _t((1 + level) / 2, self.dof) * self.std_err
        return math.exp(self.mean - half), math.exp(self.mean + half)


@dataclass(frozen=True)
class Judgement:
    """What the intervals of a ratio say: EQUIVALENT, FASTER, SLOWER or INCONCLUSIVE."""

    word: str
    interval: tuple[float, float]
    inner: tuple[float, float]  # of 90 %, for equivalence
    beyond_margin: bool  # the whole interval lies beyond the margin, on one side

    @property
    def excludes_one(self) -> bool:
        return self.interval[0] > 1 or self.interval[1] < 1

    def reason(self, margin: str, *, within: str = "", interval: str = "") -> str:
        """Why it is that word.

        Args:
            margin: in words.
            within: the same as the bounds of equivalence; empty: the margin, of 1.
            interval: what the outer one is called; empty: by its 95 %.
        """
        if self.word == EQUIVALENT:
            return f"the 90 % interval {span(*self.inner)} lies within {within or f'{margin} of 1'}"
        outer = interval or f"the 95 % interval {span(*self.interval)}"
        if self.word == INCONCLUSIVE:
            return f"{outer} contains 1 and reaches beyond {margin}"
        return f"{outer} lies {'above' if self.word == FASTER else 'below'} 1"


def judge(seen: LogMean, margin: float, level: float = LEVEL) -> Judgement:
    """The word that intervals of a log ratio give; every verdict on a ratio begins here.

    EQUIVALENT when the 90 % interval lies inside `[1 / (1 + margin), 1 + margin]` (two one-sided tests at 5 %), else
    FASTER or SLOWER when the interval of `level` excludes 1.
    """
    low, high = seen.interval(level)
    inner_low, inner_high = seen.interval(1 - 2 * SIGNIFICANCE)
    if inner_low >= 1 / (1 + margin) and inner_high <= 1 + margin:
        word = EQUIVALENT
    else:
        word = FASTER if low > 1 else SLOWER if high < 1 else INCONCLUSIVE
    beyond = low > 1 + margin or high < 1 / (1 + margin)
    return Judgement(word, (low, high), (inner_low, inner_high), beyond)


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


def verdict(differences: Sequence[float], margin: float, rounds_required: int = ROUNDS_FOR_A_VERDICT) -> Verdict:
    """A word on log ratios paired by round (`paired_logs`), and why it is that word.

    In this order:

    1. fewer than `rounds_required` rounds: INCONCLUSIVE.
    2. EQUIVALENT when the 90 % interval lies inside `[1 / (1 + margin), 1 + margin]` (two one-sided tests at 5 %).
    3. FASTER or SLOWER when the 95 % interval excludes 1 and the exact sign-flip test of the same differences agrees
       (p < 5 %, where it can get there at all). If the two tests disagree: INCONCLUSIVE.
    4. INCONCLUSIVE.

    A difference can be significant and yet smaller than what matters; then 2 and 3 both hold and EQUIVALENT wins. The
    margin is the user's own statement of what is no difference, quiet machines make trifles significant, and the reason
    still tells the size and that it is not chance. It also keeps both ways to be wrong below 5 %: a difference as large
    as the margin passes 2 at most once in 20, and calling equal things FASTER or SLOWER can only get rarer.

    One verdict, one comparison: over many rows the chance that some verdict is wrong adds up.

    Args:
        differences: `ln(row / baseline)`, one per complete round.
        margin: the largest practical non-difference, as a share: 0.02.
        rounds_required: rounds below which no word but INCONCLUSIVE is said.

    Raises:
        ValueError: a margin that is not positive.
    """
    if margin <= 0:
        raise ValueError(f"the margin must be positive, not {margin}")
    n = len(differences)
    if n < 2:
        reason = f"{n} complete round{'s' * (n != 1)}; a verdict needs {rounds_required}"
        return Verdict(word=INCONCLUSIVE, reasons=(reason,), detectable=None, rounds_needed=rounds_required)
    seen, spread = LogMean.of(differences), float(np.std(differences, ddof=1))
    detectable = math.exp(min_detectable_effect(n) * spread)
    if n < rounds_required:
        reason = f"{n} complete rounds; a verdict needs {rounds_required}"
        return Verdict(word=INCONCLUSIVE, reasons=(reason,), detectable=detectable, rounds_needed=rounds_required)

    judged = judge(seen, margin)
    word, reason = judged.word, judged.reason(limit(margin))
    size = f"difference of {percent(math.expm1(seen.mean), '+')}"
    if word == EQUIVALENT and judged.excludes_one:
        reason += f"; the {size} is not chance, but too small to matter"
    elif word in {FASTER, SLOWER} and _exact_test_applies(n) and (p := sign_flip(differences)) >= SIGNIFICANCE:
        word = INCONCLUSIVE
        outer = span(*judged.interval)
        reason = f"the 95 % interval {outer} excludes 1, but the exact sign-flip test does not agree (p = {p:.2g})"
    if word != INCONCLUSIVE:
        return Verdict(
            word=word, reasons=(reason,), detectable=detectable, rounds_needed=None, beyond_margin=judged.beyond_margin
        )
    needed = rounds_needed(spread, margin, rounds_required)
    if needed > n:
        advice = f"these rounds tell {percent(detectable - 1)} from nothing; {needed} would tell {limit(margin)}"
    else:
        advice = f"{n} rounds are enough to see {limit(margin)}: the {size} is too near to a limit to call"
    return Verdict(
        word=INCONCLUSIVE,
        reasons=(reason, advice),
        detectable=detectable,
        rounds_needed=needed if needed > n else None,
    )


def sign_flip(differences: Sequence[float]) -> float:
    """Two-sided p of the exact sign-flip test that the mean difference is 0; assumes symmetry and no distribution.

    If the two configurations are equal, each round's difference could as well have had the other sign: p is the share
    of all 2^R choices of signs whose mean is as far out as the one seen, at least 2 / 2^R. For up to 14 rounds.

    Raises:
        ValueError: more rounds, for which all choices are too many.
    """
    if len(differences) > EXACT_ROUNDS:
        raise ValueError(f"{len(differences)} rounds are too many to try all signs; the most is {EXACT_ROUNDS}")
    seen = np.asarray(differences, dtype=np.float64)
    choices = np.arange(2 ** len(seen))
    signs = 1.0 - 2.0 * (choices[:, np.newaxis] >> np.arange(len(seen)) & 1)
    sums = signs @ seen
    as_far = np.count_nonzero(sums >= abs(seen.sum()) - _EQUAL * np.abs(seen).sum())
    return min(1.0, 2 * as_far / len(sums))


def min_detectable_effect(rounds: int) -> float:
    """Smallest true log ratio that `verdict` would call with 80 % power, in standard deviations of the log ratios.

    `(t_.975,R-1 + t_.80,R-1) / sqrt(R)` for the t interval. At 6 rounds the sign-flip test asks more: it can only agree
    when all six differences have one sign, so each must have it with probability `.80^(1/6)`. (At 7 rounds it still
    costs a little, power is 75 %; from 8 on nothing worth counting. Simulated in tests/statistics.)
    """
    by_interval = (_t(1 - SIGNIFICANCE / 2, rounds - 1) + _t(POWER, rounds - 1)) / math.sqrt(rounds)
    if _exact_test_applies(rounds) and not _exact_test_applies(rounds - 1):
        return max(by_interval, float(special.ndtri(POWER ** (1 / rounds))))
    return by_interval


def rounds_needed(spread: float, margin: float, at_least: int = ROUNDS_FOR_A_VERDICT) -> int:
    """Complete rounds that would tell a difference as large as the margin from none, with 80 % power.

    The smallest R with `min_detectable_effect(R) * spread <= ln(1 + margin)`; `spread` is the standard deviation of the
    log ratios.
    """
    target = math.log1p(margin)
    normal = float(special.ndtri(1 - SIGNIFICANCE / 2) + special.ndtri(POWER)) * spread / target
    rounds = max(at_least, 2, math.floor(normal**2))  # t is wider than normal, so R is never below this
    while min_detectable_effect(rounds) * spread > target:
        rounds += 1
    return rounds


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


def _exact_test_applies(rounds: int) -> bool:
    """Whether the sign-flip test can reach 5 % at all, and can still try every choice of signs."""
    return 2 / 2**rounds < SIGNIFICANCE and rounds <= EXACT_ROUNDS


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
def _t(probability: float, dof: float) -> float:
    return float(special.stdtrit(dof, probability))
