"""What the comparison of two repro runs says: the nouns, which every report may speak of. Pure.

The verdicts are a ladder. Bitwise: every recorded bit is equal. Equivalent numerics: the runs drift apart no further
than rounding drives equal runs apart on the reference machine. Equivalent statistics: they differ, and learn as well.
"""

from dataclasses import dataclass

BITWISE, NUMERICS, STATISTICS = "bitwise", "equivalent-numerics", "equivalent-statistics"
DIFFERENT, NOT_COMPARABLE, INCONCLUSIVE = "different", "not comparable", "inconclusive"
VERDICTS = (BITWISE, NUMERICS, STATISTICS, DIFFERENT, NOT_COMPARABLE, INCONCLUSIVE)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first thing that was not the same."""

    step: int
    tensor: str
    stage: str  # one of bench.repro.capsule.STAGES
    rank: int
    scaled_ulp: float | None  # None: no distance, or not finite
    share: float | None  # of the kept elements that differ


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What the comparison of two capsules says."""

    verdict: str  # one of VERDICTS
    first_difference: Difference | None
    cause: str  # empty when there is nothing to explain
    curve: tuple[tuple[int, float], ...]  # step, relative difference of the loss
    reasons: tuple[str, ...]
