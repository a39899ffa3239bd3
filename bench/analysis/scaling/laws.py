"""Amdahl's and Gunther's law over the counts that were measured: a description with an interval, never a forecast.

Both are linear in their parameters once turned over. With `N` times the resources and the speedup `S`:

    N / S = 1 + sigma (N - 1) + kappa N (N - 1)

`sigma` is the share that waits for the others (Amdahl 1967: the serial share, `kappa = 0`), `kappa` what the exchange
between every pair costs (Gunther, "A simple capacity model of massively parallel transaction systems", 1993). Each
round gives its own fit by least squares, and the intervals are over rounds, as those of the speedups are.

A parameter is shown only when it can be told from nothing. Least squares without negative values, which never admits
that, calls pure noise a law; here the fits may be negative, and their intervals decide. And a law is shown only when it
passes through what was measured: rows that fall off at one count, as where cores share what they compute with, follow
neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.analysis.result import Estimate, Law, Row
from bench.analysis.statistics.intervals import LAUNCHES_FOR_AN_INTERVAL, LEVEL, LogMean, rate_interval, share_estimate

AMDAHL, GUNTHER = "Amdahl's law", "the Universal Scalability Law"
COUNTS = 4  # of resources, the baseline's among them: fewer cannot tell two parameters from noise
CURVE = 33  # places at which the envelope is drawn
MISSES = 0.02  # of a measured speedup: a law further off is none
NOTHING = 1e-9  # a parameter below it is rounding
METHOD = "least squares in each round, t interval over rounds"

FloatArray = npt.NDArray[np.float64]
Ratios = dict[float, Mapping[int, float]]  # times the baseline's resources -> round -> speedup in that round


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows that differ in nothing but how much they have: whose law it would be."""

    strategy: str
    device: str
    cores_per_rank: int | None  # None where one process has the cores, so that they are what differs

    def __str__(self) -> str:
        cores = "" if self.cores_per_rank is None else f" with {self.cores_per_rank} core"
        return f"{self.strategy} on {self.device}{cores}{'s' * ((self.cores_per_rank or 1) > 1)}"


def of_rows(rows: Sequence[Row], rates: Mapping[str, Mapping[int, float]]) -> tuple[tuple[Law, ...], str]:
    """A law for each group of rows that one describes; and why there is none, empty when there is one.

    Args:
        rows: of the study, with their ratios; a row without a speedup has no part in a law.
        rates: of each row, by its configuration: round -> samples per second.
    """
    base = next((row for row in rows if row.is_baseline), None)
    if len(rows) < 2:
        return (), "one count of resources"
    if base is None or base.throughput is None or base.is_invalid:
        return (), "there is no sound baseline to count resources against"
    groups: dict[Group, Ratios] = {}
    twice: set[Group] = set()
    for row in rows:
        if row.is_baseline or row.speedup is None or row.efficiency is None or row.is_invalid:
            continue
        group = Group(
            strategy=row.configuration.strategy,
            device=row.configuration.device,
            cores_per_rank=None if row.configuration.strategy == "single" else row.configuration.cores_per_rank,
        )
        count = round(row.speedup.estimate / row.efficiency.estimate, 9)
        mine, theirs = rates[row.key], rates[base.key]
        if count in groups.setdefault(group, {}):
            twice.add(group)
        groups[group][count] = {number: mine[number] / theirs[number] for number in mine.keys() & theirs.keys()}
    found = {
        group: "rows of one count differ in more than it" if group in twice else fit(group, ratios)
        for group, ratios in groups.items()
        if max(ratios) > 1
    }
    laws = tuple(each for each in found.values() if isinstance(each, Law))
    reasons: dict[str, list[str]] = {}
    for group, each in found.items():
        if isinstance(each, str):
            reasons.setdefault(each, []).append(str(group))
    why = "; ".join(f"{reason} ({', '.join(whose)})" for reason, whose in reasons.items())
    return laws, "" if laws else why or "one count of resources"


def fit(group: Group, ratios: Mapping[float, Mapping[int, float]]) -> Law | str:
    """The law of one group, or why there is none.

    Args:
        group: whose counts these are.
        ratios: times the baseline's resources -> round -> speedup over the baseline of that round; without the
            baseline itself, whose speedup is 1 by definition.
    """
    counts = sorted(count for count in ratios if count > 1)
    if len(counts) + 1 < COUNTS:
        counted = f"{len(counts) + 1} count{'s' * (len(counts) > 0)} of resources"
        return f"{counted} cannot tell a law's parameters from noise; {COUNTS} can"
    rounds = sorted(set.intersection(*(set(ratios[count]) for count in counts)))
    if len(rounds) < LAUNCHES_FOR_AN_INTERVAL:
        return f"{len(rounds)} rounds with every count give no interval; three do"
    n = np.asarray(counts, dtype=np.float64)
    speedups = np.asarray([[ratios[count][each] for count in counts] for each in rounds])
    both = _least_squares(speedups, n, n - 1, n * (n - 1))
    fits = _chosen(n, speedups, both)
    if isinstance(fits, str):
        return fits
    # The envelope has both parameters, whichever are shown: that of one alone, chosen because the other drowned in
    # noise, covered the truth between the counts in 66 of 100 simulated studies (its own tests).
    places = np.linspace(1.0, n[-1], CURVE)
    curves = np.asarray([_speedup(places, *each) for each in both])
    if np.any(curves <= 0):  # a parabola through wild points may dip below nothing between them
        return "the rounds are too far apart for either law"
    if missed := _misses(n, speedups, fits):
        return missed
    bands = [_band(each) for each in curves.T]
    return Law(
        name=GUNTHER if np.any(fits[:, 1]) else AMDAHL,
        strategy=group.strategy,
        device=group.device,
        cores_per_rank=group.cores_per_rank,
        parameters={
            name: share_estimate(values.tolist(), METHOD)
            for name, values in zip(("sigma", "kappa"), fits.T, strict=True)
            if np.any(values)
        },
        resources=tuple(places.tolist()),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
    )


def _chosen(n: FloatArray, speedups: FloatArray, both: FloatArray) -> FloatArray | str:
    """Both parameters of each round, where `kappa` can be told from nothing; else `sigma` alone, by the same rule.

    With one alone the other is zero. Of 100 simulated studies without any loss 2 to 4 are called a law.
    """
    if _is_above_nothing(both[:, 1]):
        if both[:, 0].mean() >= 0:
            return both
        one_share = _least_squares(speedups, n, n * (n - 1))
        return np.column_stack([np.zeros(len(one_share)), one_share[:, 0]])
    one_share = _least_squares(speedups, n, n - 1)
    if _is_above_nothing(one_share[:, 0]):
        return np.column_stack([one_share[:, 0], np.zeros(len(one_share))])
    return f"what is lost up to {n[-1]:g} times the resources cannot be told from none"


def _least_squares(speedups: FloatArray, n: FloatArray, *columns: FloatArray) -> FloatArray:
    """A line of parameters for each round."""
    solution = np.linalg.lstsq(np.column_stack(columns), (n / speedups - 1).T, rcond=None)[0]
    return np.asarray(solution.T, dtype=np.float64)


def _is_above_nothing(values: FloatArray) -> bool:
    found = share_estimate(values.tolist(), METHOD)
    return found.low is not None and found.low > NOTHING


def _misses(n: FloatArray, speedups: FloatArray, fits: FloatArray) -> str:
    """Where the law is off by more than chance and by more than matters; the level is shared among the counts."""
    residuals = np.log(speedups / np.asarray([_speedup(n, *each) for each in fits]))
    for count, each in zip(n, residuals.T, strict=True):
        size = float(np.expm1(each.mean()))
        low, high = LogMean.of(each).interval(1 - (1 - LEVEL) / len(n))
        if abs(size) > MISSES and not low <= 1 <= high:
            where = "above" if size > 0 else "below"
            return f"at {count:g} times the resources the speedup is {abs(size):.0%} {where} either law"
    return ""


def _speedup(n: FloatArray, sigma: float, kappa: float) -> FloatArray:
    return n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def _band(speedups: FloatArray) -> tuple[float, float]:
    found: Estimate = rate_interval([float(each) for each in speedups])
    low, high = found.low, found.high
    return (found.estimate if low is None else low, found.estimate if high is None else high)
