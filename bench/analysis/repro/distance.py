"""How far are two recorded tensors, losses or runs from each other: further than rounding alone explains? Pure.

A fixed tolerance cannot say it: by another number of threads alone, the difference of two losses grows by four orders
of magnitude in a hundred steps, until it is as large as that of two seeds. So an envelope is measured, where a capsule
is recorded: runs whose weights are all moved by one unit in the last place, up or down by chance, and a run on another
number of threads. For another kind of device there is a wider one, with runs in which every product rounds otherwise.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from bench.repro.capsule import LOCAL, REDUCED, WEIGHTS, Envelope, Fact, Part, RanksCheck

EPSILON = 2.0**-23  # of float32: the gap between 1 and the next number
Floats = npt.NDArray[np.floating]
ULP_AT_LEAST = 8.0  # scaled, at least; for each doubling of the ranks, since the sum is split as often
ROUNDING_FACTOR = 2.0  # beyond what another order of adding does in one process
FACTOR = 2.0  # beyond the most that a handful of runs showed
OTHER_DEVICE_FACTOR = 4.0  # nobody has measured here how another kind of device rounds, only something like it
# What no run is blamed for on the first steps: 8 units in the last place where sums are float32, and one of the format
# where it is narrower.
FLOOR = {"fp32": 2.0**-20, "tf32": 2.0**-10, "bf16": 2.0**-7, "fp16": 2.0**-10}
WEIGHTS_FLOOR = 2.0**-20  # weights are float32 in every precision


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


def check_ranks(single: Part, backwards: Part, sharded: Part) -> RanksCheck:
    """Hold the reduced gradient of step 0, all elements of every parameter, against that of one process.

    The bound is `max(8, 2 r) log2(ranks)` scaled ulp, where r is how far the one process is from itself when it takes
    the samples of the batch in reverse: a gradient that is a small rest of many large terms rounds by more than any
    fixed number (11 ulp in the first convolution of a LeNet).

    Args:
        single: of one process; its local gradient is the whole one.
        backwards: the same with the samples in reverse.
        sharded: of any rank.

    Raises:
        ValueError: the runs have no parameters in common, or other elements of them were kept.
    """
    whole = _gradients(single, LOCAL)
    off = _apart(whole, _gradients(sharded, REDUCED))
    rounding = max(_apart(whole, _gradients(backwards, LOCAL)).values())
    worst = max(off, key=off.__getitem__)
    ranks = int(sharded.conditions["world_size"])
    bound = max(ULP_AT_LEAST, ROUNDING_FACTOR * rounding) * math.log2(ranks)
    return RanksCheck(ranks=ranks, tensor=worst, scaled_ulp=off[worst], bound=bound)


@dataclass(frozen=True, kw_only=True)
class Escape:
    """Where a run left the envelope first."""

    what: str  # loss or weights
    step: int  # of weights: steps made
    distance: float
    allowed: float

    def __str__(self) -> str:
        place = f"after step {self.step}" if self.what == "weights" else f"at step {self.step}"
        return f"{self.what} {place}: off by {self.distance:.2g}, where rounding explains {self.allowed:.2g}"


def measured(
    reference: Sequence[Part], perturbed: Mapping[str, Sequence[Part]], precision: str, factor: float = FACTOR
) -> Envelope:
    """The envelope around a run: a multiple of the largest distance so far of any perturbed run, never below the floor.

    Growing only: curves of single runs come back to zero by luck, and the limit must not.

    Args:
        reference: the run itself, rank by rank.
        perturbed: what was perturbed -> that run, rank by rank; at least one.
        precision: of the workload.
        factor: which multiple.
    """
    pairs = [pair for run in perturbed.values() for pair in zip(reference, run, strict=True)]
    losses = [loss_curve(*pair) for pair in pairs]
    weights = [weight_curve(*pair) for pair in pairs]
    steps = sorted(weights[0])
    by_step = _widened((max(each[step] for each in weights) for step in steps), WEIGHTS_FLOOR, factor)
    return Envelope(
        loss=tuple(_widened(map(max, zip(*losses, strict=True)), FLOOR[precision], factor)),
        weights=dict(zip(steps, by_step, strict=True)),
        runs=tuple(perturbed),
    )


def escape(reference: Part, here: Part, envelope: Envelope) -> Escape | None:
    """The first place where a run is further from the reference than the envelope allows; None when nowhere."""
    losses = [
        Escape(what="loss", step=step, distance=distance, allowed=allowed)
        for step, (distance, allowed) in enumerate(zip(loss_curve(reference, here), envelope.loss, strict=True))
    ]
    weights = [
        Escape(what="weights", step=step, distance=distance, allowed=envelope.weights[step])
        for step, distance in weight_curve(reference, here).items()
    ]
    outside = [each for each in _in_time([*losses, *weights]) if not each.distance <= each.allowed]
    return outside[0] if outside else None


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


def _gradients(part: Part, stage: str) -> dict[str, Fact]:
    return {fact.tensor: fact for fact in part.facts if fact.stage == stage}


def _apart(whole: Mapping[str, Fact], other: Mapping[str, Fact]) -> dict[str, float]:
    """Scaled ulp by parameter."""
    if not whole or set(whole) != set(other):
        raise ValueError("the gradients of the two rehearsals are of other parameters")
    return {name: _elements_apart(whole[name], fact) for name, fact in other.items()}


def _elements_apart(a: Fact, b: Fact) -> float:
    if a.sample is None or b.sample is None or len(a.sample) != len(b.sample):
        raise ValueError(f"other elements of {a.tensor} were kept")
    if a.largest is None or b.largest is None:
        return math.inf  # not finite
    largest = max(a.largest, b.largest)
    return scaled_ulp(a.sample, b.sample, largest) if largest else 0.0


def _widened(distances: Iterable[float], floor: float, factor: float) -> list[float]:
    return [max(factor * each, floor) for each in accumulate(distances, max)]


def _in_time(places: Sequence[Escape]) -> list[Escape]:
    """The loss of step k is computed before the weights of k + 1 steps made, and after those of k."""
    return sorted(places, key=lambda each: (each.step, 1) if each.what == "loss" else (each.step - 1, 2))
