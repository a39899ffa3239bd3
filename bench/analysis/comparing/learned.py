"""Did both learn the same? The last loss where the seeds are the same, the accuracy over seeds where there are enough.

Launches that repeat one seed say how far rounding carries, not how far luck does. Luck needs seeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.analysis.comparing.nouns import DIVERGED, Quantity
from bench.analysis.comparing.quantities import shown
from bench.analysis.digits import significant
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER, Estimate, Verdict
from bench.analysis.statistics import unpaired
from bench.analysis.statistics.intervals import LEVEL, SIGNIFICANCE, LogMean, share_bounds, share_mean
from bench.analysis.statistics.unpaired import Arm
from bench.plan import Workload
from bench.store.schema import Launch

SEEDS_FOR_A_VERDICT = 5  # a side
ACCURACY_MARGIN = 0.01  # one point of a hundred
_SAME = "the same to the last bit"


def loss(
    workload: Workload, mine: Sequence[Launch], theirs: Sequence[Launch], margin: float, *, same_work: bool
) -> Quantity:
    """The training loss of the last step, B over A.

    Only where both trained from the same seeds, with one global batch, for one number of steps; else the reason is
    told. Losses that are the same to the last bit, seed by seed, are EQUIVALENT however few launches there are.
    """
    obstacle = _no_common_loss(workload, mine, theirs, same_work=same_work)
    if obstacle:
        return Quantity(reasons=(obstacle,))
    x, y = ([each.loss_last for each in side if each.loss_last is not None] for side in (mine, theirs))
    seeds = {each.seed for each in (*mine, *theirs)}
    repeating = "which repeat one seed" if len(seeds) == 1 else f"of {len(seeds)} seeds"
    found = shown(x, y, f"t interval on log loss over launches, {repeating}")
    if all(len({each.loss_last for each in (*mine, *theirs) if each.seed == seed}) == 1 for seed in seeds):
        verdict = Verdict(
            word=EQUIVALENT,
            reasons=(f"{_SAME} in all {len(x) + len(y)} launches",),
            detectable=None,
            rounds_needed=None,
        )
        return replace(found, verdict=verdict)
    verdict = unpaired.verdict(Arm([math.log(each) for each in x]), Arm([math.log(each) for each in y]), margin)
    return replace(found, verdict=_diverged(verdict))


def same_bits(found: Quantity) -> bool:
    """Whether `loss` found the same to the last bit."""
    return found.verdict is not None and found.verdict.word == EQUIVALENT and _SAME in found.verdict.reasons[0]


def accuracy(
    a: Mapping[int, float], b: Mapping[int, float], margin: float = ACCURACY_MARGIN, *, same_losses: bool = False
) -> Quantity:
    """Top-1 of the last epoch over seeds, B minus A.

    Two one-sided tests at 5 % on Welch's interval of the difference; a seed is a replicate.

    Args:
        a: share right, by seed.
        b: the same of B.
        margin: a difference below it counts as none; a share, so 0.01 is one point of a hundred.
        same_losses: the last losses are the same to the last bit; with the accuracy of each seed the same too, nothing
            is left for more seeds to tell.
    """
    x, y = list(a.values()), list(b.values())
    if not x or not y:
        return Quantity(reasons=(f"not measured by {'B' if x else 'A'}",))
    method = "t interval on top-1 over seeds"
    found = Quantity(a=share_mean(x, method), b=share_mean(y, method))
    n = min(len(x), len(y))
    if same_losses and a == b:
        none = Estimate(estimate=0.0, low=0.0, high=0.0, n=n, method=method)
        why = "the same with every seed, as the losses are to the last bit"
        alike = Verdict(word=EQUIVALENT, reasons=(why,), detectable=None, rounds_needed=None)
        return replace(found, difference=none, verdict=alike)
    if n < 2:
        difference = Estimate(estimate=y[0] - x[0], low=None, high=None, n=n, method=method)
        return replace(found, difference=difference, verdict=_too_few_seeds(n))
    seen = LogMean.difference(LogMean.of(y), LogMean.of(x))  # of shares, not of their logarithms
    low, high = share_bounds(seen, LEVEL)
    difference = Estimate(estimate=seen.mean, low=low, high=high, n=n, method=f"Welch {method}")
    if n < SEEDS_FOR_A_VERDICT:
        return replace(found, difference=difference, verdict=_too_few_seeds(n))
    inner_low, inner_high = share_bounds(seen, 1 - 2 * SIGNIFICANCE)
    points = f"{significant(100 * margin, 2)} points"
    if -margin <= inner_low and inner_high <= margin:
        word, reason = EQUIVALENT, f"the 90 % interval of the difference lies within {points}"
    elif low > 0 or high < 0:
        word, reason = DIVERGED, f"the 95 % interval of the difference lies {'above' if low > 0 else 'below'} 0"
    else:
        word, reason = INCONCLUSIVE, f"{n} seeds a side do not tell {points} from nothing: train more seeds"
    beyond = low > margin or high < -margin
    verdict = Verdict(word=word, reasons=(reason,), detectable=None, rounds_needed=None, beyond_margin=beyond)
    return replace(found, difference=difference, verdict=verdict)


def _no_common_loss(
    workload: Workload, mine: Sequence[Launch], theirs: Sequence[Launch], *, same_work: bool
) -> str | None:
    if not same_work:
        return "the global batch differs, and with it the number of samples that a step learns from"
    seeds = [",".join(map(str, sorted({each.seed for each in side}))) for side in (mine, theirs)]
    if seeds[0] != seeds[1]:
        return f"seed {seeds[0]} against {seeds[1]}: losses of different seeds differ by themselves"
    if workload.seconds is not None:
        return "the window is a time, so each launch trained for as many steps as it could: use --steps or --epochs"
    for name, side in (("A", mine), ("B", theirs)):
        losses = [each.loss_last for each in side if each.loss_last is not None]
        if not losses:
            return f"not measured by {name}"
        if not all(math.isfinite(each) and each > 0 for each in losses):
            return f"a loss of {name} is not a positive number"
    return None


def _diverged(verdict: Verdict) -> Verdict:
    return replace(verdict, word=DIVERGED) if verdict.word in {FASTER, SLOWER} else verdict


def _too_few_seeds(n: int) -> Verdict:
    reason = f"{n} seed{'s' * (n != 1)} a side; a verdict on accuracy needs {SEEDS_FOR_A_VERDICT} (--seed)"
    return Verdict(word=INCONCLUSIVE, reasons=(reason,), detectable=None, rounds_needed=None)
