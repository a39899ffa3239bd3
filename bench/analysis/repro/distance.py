"""How far two recorded tensors, losses or runs are from each other. Pure."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.repro.capsule import WEIGHTS, Fact, Part

EPSILON = 2.0**-23  # of float32: the gap between 1 and the next number

Floats = npt.NDArray[np.floating]


def scaled_ulp(a: Floats, b: Floats, largest: float) -> float:
    """Greatest |a - b| / (eps x largest): units in the last place of the tensor's largest number.

    Safe near zero, where the relative error of a single element says nothing: it is a small rest of large numbers.

    Args:
        a: elements of one tensor.
        b: the same elements of the other.
        largest: magnitude of the largest element of both tensors; with 0 both are zero.
    """
    furthest = float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0.0))
    if math.isnan(furthest):
        return math.inf
    return furthest / (EPSILON * largest) if furthest else 0.0


def of_facts(a: Fact, b: Fact) -> float:
    """Scaled ulp between two tensors by the elements that were kept; 0 when they are bitwise equal.

    Infinite where there is no distance: other kinds or sizes of tensors, whole numbers, numbers that are not finite.
    """
    if a.hash == b.hash:
        return 0.0
    if a.sample is None or b.sample is None or a.largest is None or b.largest is None or a.count != b.count:
        return math.inf
    largest = max(a.largest, b.largest)
    return scaled_ulp(a.sample, b.sample, largest) if largest else 0.0


def of_totals(a: Fact, b: Fact) -> float:
    """What the sums say of the elements that were not kept: |sum a - sum b| / (eps x largest x sqrt(count)).

    Rounding of n elements moves their sum by about sqrt(n) roundings of one, so equal tensors stay near 1, and a single
    element is seen when it is off by more than sqrt(n). Infinite where there is no sum.
    """
    if a.hash == b.hash:
        return 0.0
    if a.total is None or b.total is None or a.largest is None or b.largest is None or a.count != b.count:
        return math.inf
    largest = max(a.largest, b.largest)
    return abs(a.total - b.total) / (EPSILON * largest * math.sqrt(a.count)) if largest else 0.0


def share_differing(a: Fact, b: Fact) -> float | None:
    """Which share of the kept elements differs; None where none were kept."""
    if a.sample is None or b.sample is None or len(a.sample) != len(b.sample) or not len(a.sample):
        return None
    return float(np.mean(a.sample != b.sample))


def loss_curve(a: Part, b: Part) -> list[float]:
    """|a - b| / |a| of the loss of every step; 0 where both are the same bits, infinite where only one is finite."""
    return [_relative(x, y) for x, y in zip(a.loss, b.loss, strict=True)]


def weight_curve(a: Part, b: Part) -> dict[int, float]:
    """|a - b| / |a| of all weights as one vector (Euclidean norms), by number of steps made.

    Of each tensor the kept elements stand for all: their mean square times the tensor's size estimates its part.
    """
    others = {fact.key: fact for fact in b.facts}
    pairs: dict[int, list[tuple[Fact, Fact]]] = {}
    for fact in a.facts:
        if fact.stage == WEIGHTS and fact.sample is not None:
            pairs.setdefault(fact.step, []).append((fact, others[fact.key]))
    return {step: _distance(each) for step, each in sorted(pairs.items())}


def _relative(a: float, b: float) -> float:
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    difference = abs(a - b) / max(abs(a), float(np.finfo(np.float64).tiny))
    return difference if math.isfinite(difference) else math.inf


def _distance(pairs: Sequence[tuple[Fact, Fact]]) -> float:
    apart = whole = 0.0
    for a, b in pairs:
        if a.hash != b.hash:
            apart += a.count * _mean_square(_sample(a).astype(np.float64) - _sample(b))
        whole += a.count * _mean_square(_sample(a).astype(np.float64))
    distance = math.sqrt(apart / whole) if whole else 0.0 if not apart else math.inf
    return math.inf if math.isnan(distance) else distance


def _sample(fact: Fact) -> Floats:
    return fact.sample if fact.sample is not None else np.empty(0, np.float32)


def _mean_square(values: Floats) -> float:
    return float(np.mean(values**2)) if len(values) else 0.0
