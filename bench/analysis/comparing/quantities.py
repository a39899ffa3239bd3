"""Each quantity of a row, B compared with A: both with intervals, the ratio, a verdict in the quantity's words.

Of what was learned, that is the last loss where the seeds are the same, and the accuracy over seeds where there are
enough: launches that repeat one seed say how far rounding carries, not how far luck does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.comparing.nouns import DIVERGED, HIGHER, LOWER, Quantity
from bench.analysis.comparing.operands import Operand
from bench.analysis.digits import significant
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER, Estimate, Row, Verdict
from bench.analysis.statistics import intervals, unpaired, verdicts
from bench.analysis.statistics.intervals import LEVEL, LogMean, share_bounds, share_mean
from bench.analysis.statistics.unpaired import Arm
from bench.analysis.statistics.verdicts import SIGNIFICANCE
from bench.plan import Workload
from bench.store.schema import Launch

_NOT_A_SPEED = {FASTER: HIGHER, SLOWER: LOWER}
SEEDS_FOR_A_VERDICT = 5  # a side
ACCURACY_MARGIN = 0.01  # one point of a hundred
_SAME = "the same to the last bit"


def throughput(a: Operand, b: Operand, mine: Row, theirs: Row, margin: float) -> Quantity:
    """Samples per second of launches that share no rounds."""
    x, y = a.rates(mine), b.rates(theirs)
    arms = (
        Arm(np.log(x).tolist(), a.noise.get(mine.key)),
        Arm(np.log(y).tolist(), b.noise.get(theirs.key)),
    )
    return Quantity(
        a=intervals.rate_interval(x),
        b=intervals.rate_interval(y),
        ratio=intervals.welch_ratio(y, x),
        verdict=unpaired.verdict(*arms, margin=margin),
    )


def throughput_by_round(side: Operand, mine: Row, theirs: Row, margin: float) -> Quantity:
    """Samples per second of two rows of one study, paired by round."""
    x, y = side.by_round(mine), side.by_round(theirs)
    logs = intervals.paired_logs(y, x)
    verdict = verdicts.verdict(logs, margin)
    noises = [each for row in (mine, theirs) if (each := side.noise.get(row.key))]
    if noises and verdict.word != INCONCLUSIVE:
        known = max(noises, key=lambda noise: noise.pair_spread)
        expected = LogMean(float(np.mean(logs)), known.pair_spread / math.sqrt(len(logs)), known.pair_dof)
        if expected.std_err > LogMean.of(logs).std_err:
            needed = verdicts.rounds_needed(known.pair_spread, margin)
            enough = None if needed <= len(logs) else needed
            verdict = unpaired.softened(verdict, expected, margin, [known.source], enough)
    return Quantity(
        a=intervals.rate_interval(list(x.values())),
        b=intervals.rate_interval(list(y.values())),
        ratio=intervals.ratio_interval(y, x),
        verdict=verdict,
    )


def efficiency(a: Operand, b: Operand, mine: Row, theirs: Row, margin: float) -> Quantity | None:
    """Each side's own speedup over its own resources, rounds as replicates; None where that is 1 or no number."""
    pairs = ((a, mine, a.study.baseline), (b, theirs, b.study.baseline))
    if any(row.is_baseline or row.efficiency is None or side.launch_id is not None for side, row, _ in pairs):
        return None
    if a.plan.baseline != b.plan.baseline:
        names = " against ".join(side.plan.baseline.key for side in (a, b))
        return Quantity(reasons=(f"the baselines are different rows: {names}",))
    # Both use the same multiple of the baseline's resources, so the ratio of efficiencies is that of the speedups.
    x, y = (intervals.paired_logs(side.by_round(row), side.by_round(base)) if base else [] for side, row, base in pairs)
    return Quantity(
        a=mine.efficiency,
        b=theirs.efficiency,
        ratio=shown(np.exp(x).tolist(), np.exp(y).tolist(), "t interval on log efficiency over rounds").ratio,
        verdict=_in_its_words(unpaired.verdict(Arm(x), Arm(y), margin)),
    )


def peak_memory(mine: Sequence[Launch], theirs: Sequence[Launch], margin: float) -> Quantity:
    """Peak memory of the hungriest rank, bytes."""
    return _of_launches([[each.peak_memory_bytes for each in side] for side in (mine, theirs)], "peak memory", margin)


def energy(mine: Sequence[Launch], theirs: Sequence[Launch], margin: float) -> Quantity:
    """Joules per sample: two windows of one length need not hold the same work."""
    return _of_launches([[_joules(each) for each in side] for side in (mine, theirs)], "energy per sample", margin)


def shown(a: Sequence[float], b: Sequence[float], method: str) -> Quantity:
    """Both sides and their ratio, without a verdict; a side without values is None.

    Values that are all the same are shown as they are: their logarithms would leave a trace of rounding.
    """
    mine, theirs = (replace(intervals.rate_interval(side), method=method) if side else None for side in (a, b))
    ratio = replace(intervals.welch_ratio(b, a), method=f"Welch {method}") if a and b else None
    if mine and len(set(a)) == 1:
        mine = _exactly(mine, a[0])
    if theirs and len(set(b)) == 1:
        theirs = _exactly(theirs, b[0])
    if ratio and len(set(a)) == len(set(b)) == 1:
        ratio = _exactly(ratio, b[0] / a[0])
    return Quantity(a=mine, b=theirs, ratio=ratio)


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


def _joules(launch: Launch) -> float | None:
    return launch.energy_j / launch.window_samples if launch.energy_j is not None and launch.window_samples else None


def _of_launches(values: Sequence[Sequence[float | None]], what: str, margin: float) -> Quantity:
    """A quantity that each launch measures once; where a side lacks it, nothing is judged and the reason told."""
    x, y = ([each for each in side if each is not None and each > 0] for side in values)
    found = shown(x, y, f"t interval on log {what} over launches")
    if not x or not y:
        return replace(found, reasons=(f"not measured by {' and '.join('AB'[at] for at in (0, 1) if not (x, y)[at])}",))
    verdict = unpaired.verdict(Arm(np.log(x).tolist()), Arm(np.log(y).tolist()), margin)
    return replace(found, verdict=_in_its_words(verdict))


def _exactly(estimate: Estimate, value: float) -> Estimate:
    bound = None if estimate.low is None else value
    return replace(estimate, estimate=value, low=bound, high=bound)


def _in_its_words(verdict: Verdict) -> Verdict:
    return replace(verdict, word=_NOT_A_SPEED.get(verdict.word, verdict.word))


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
