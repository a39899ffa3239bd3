"""Do N ranks compute what one process computes from the same global batch? Pure."""

import math
from collections.abc import Mapping

from bench.analysis.repro.distance import scaled_ulp
from bench.repro.capsule import LOCAL, REDUCED, Fact, Part, RanksCheck

ULP = 8.0  # scaled, at least; for each doubling of the ranks, since the sum is split as often
FACTOR = 2.0  # beyond what another order of adding does in one process


def check(single: Part, backwards: Part, sharded: Part) -> RanksCheck:
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
    bound = max(ULP, FACTOR * rounding) * math.log2(ranks)
    return RanksCheck(ranks=ranks, tensor=worst, scaled_ulp=off[worst], bound=bound)


def _gradients(part: Part, stage: str) -> dict[str, Fact]:
    return {fact.tensor: fact for fact in part.facts if fact.stage == stage}


def _apart(whole: Mapping[str, Fact], other: Mapping[str, Fact]) -> dict[str, float]:
    """Scaled ulp by parameter."""
    if not whole or set(whole) != set(other):
        raise ValueError("the gradients of the two rehearsals are of other parameters")
    return {name: _distance(whole[name], fact) for name, fact in other.items()}


def _distance(a: Fact, b: Fact) -> float:
    if a.sample is None or b.sample is None or len(a.sample) != len(b.sample):
        raise ValueError(f"other elements of {a.tensor} were kept")
    if a.largest is None or b.largest is None:
        return math.inf  # not finite
    largest = max(a.largest, b.largest)
    return scaled_ulp(a.sample, b.sample, largest) if largest else 0.0
