"""Each quantity of a row, B compared with A: both with intervals, the ratio, a verdict in the quantity's words."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.comparing.nouns import HIGHER, LOWER, Quantity
from bench.analysis.comparing.operands import Operand
from bench.analysis.result import FASTER, INCONCLUSIVE, SLOWER, Estimate, Row, Verdict
from bench.analysis.statistics import intervals, unpaired
from bench.analysis.statistics.intervals import LogMean
from bench.analysis.statistics.unpaired import Arm
from bench.store.schema import Launch

_NOT_A_SPEED = {FASTER: HIGHER, SLOWER: LOWER}


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
    verdict = intervals.verdict(logs, margin)
    noises = [each for row in (mine, theirs) if (each := side.noise.get(row.key))]
    if noises and verdict.word != INCONCLUSIVE:
        known = max(noises, key=lambda noise: noise.pair_spread)
        expected = LogMean(float(np.mean(logs)), known.pair_spread / math.sqrt(len(logs)), known.pair_dof)
        if expected.std_err > LogMean.of(logs).std_err:
            needed = intervals.rounds_needed(known.pair_spread, margin)
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


def _exactly(estimate: Estimate, value: float) -> Estimate:
    bound = None if estimate.low is None else value
    return replace(estimate, estimate=value, low=bound, high=bound)


def _in_its_words(verdict: Verdict) -> Verdict:
    return replace(verdict, word=_NOT_A_SPEED.get(verdict.word, verdict.word))
