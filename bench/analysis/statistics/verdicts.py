"""The word and why: FASTER, EQUIVALENT, SLOWER or INCONCLUSIVE, from the intervals of a ratio and an exact test.

Every verdict on a ratio begins in `judge`; rows of a study are paired by round here, launches of other studies and
machines in `unpaired` and `bench.analysis.comparing.machines`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bench.analysis.digits import limit, percent, span
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER, Verdict
from bench.analysis.statistics.intervals import LEVEL, LogMean, student_t

ROUNDS_FOR_A_VERDICT = 6  # the fewest at which the exact test can reach 5 %: its smallest p is 2 / 2^rounds
SIGNIFICANCE = 0.05
POWER = 0.80
EXACT_ROUNDS = 14  # 16384 choices of signs; with more rounds the mean of logs is near enough to normal
_EQUAL = 1e-13  # of the numbers' size: sums of the same numbers in another order differ by less


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
    by_interval = (student_t(1 - SIGNIFICANCE / 2, rounds - 1) + student_t(POWER, rounds - 1)) / math.sqrt(rounds)
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


def _exact_test_applies(rounds: int) -> bool:
    """Whether the sign-flip test can reach 5 % at all, and can still try every choice of signs."""
    return 2 / 2**rounds < SIGNIFICANCE and rounds <= EXACT_ROUNDS
