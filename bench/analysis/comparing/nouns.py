"""What comparing and calibrating find: nouns only, so that telling of them needs no statistics.

A ratio is always B over A, of many machines each over the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.analysis.result import Estimate, Verdict
from bench.plan import Configuration

# Words of quantities that are not a speed; a speed is FASTER or SLOWER. The rest is said as of a study's rows.
HIGHER, LOWER = "HIGHER", "LOWER"  # efficiency, memory, energy
DIVERGED = "DIVERGED"  # what was learned differs, whichever way

THROUGHPUT, EFFICIENCY, MEMORY = "throughput", "efficiency", "peak memory"
ENERGY, LOSS, ACCURACY = "energy", "final loss", "accuracy"
METRICS = (THROUGHPUT, EFFICIENCY, MEMORY, ENERGY, LOSS, ACCURACY)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One field of the fingerprints that differs."""

    field: str  # layer and name, e.g. "software.torch"
    a: str | None  # None: not there
    b: str | None
    effect: str  # numbers, speed or cosmetic: see `bench.analysis.comparing.dna_effects`


@dataclass(frozen=True, kw_only=True)
class StudyRef:
    """One side of a comparison."""

    name: str  # as it was asked for
    study_id: str
    created_at: str  # UTC, ISO 8601
    launch_id: str | None  # when one launch alone was asked for
    model: str
    data: str
    precision: str
    hw_id: str | None
    sw_id: str | None


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One quantity on both sides, and what can be said of it."""

    a: Estimate | None = None
    b: Estimate | None = None
    ratio: Estimate | None = None  # b / a; None where no ratio may be formed
    difference: Estimate | None = None  # b - a, instead of a ratio (accuracy, as a share)
    verdict: Verdict | None = None  # None: nothing was measured that could be judged
    reasons: tuple[str, ...] = ()  # why something is missing


@dataclass(frozen=True, kw_only=True)
class RowQuantity(Quantity):
    """One quantity of one row, on both sides."""

    configuration: Configuration  # of B; A's is the same unless two rows of one study are compared
    metric: str  # one of METRICS
    unit: str  # of `a` and `b`; empty for shares and losses


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """B compared with A: fingerprints first, then every matching row."""

    a: StudyRef
    b: StudyRef
    obstacles: tuple[str, ...]  # why the two may not be compared at all; empty when they may
    dna: tuple[Difference, ...]
    rows: tuple[RowQuantity, ...]  # grouped by configuration, in the order of A's table
    unmatched: tuple[str, ...]  # rows of one side that the other lacks, in words
    notes: tuple[str, ...]  # what the verdicts do and do not say
    margin: float  # differences below it count as none
    # Nothing of the hardware that both sides could read differs, and one of them could not read everything.
    is_one_machine: bool = False

    @property
    def comparable(self) -> bool:
        """At least one ratio could be formed."""
        return any(row.ratio is not None or row.difference is not None for row in self.rows)

    @property
    def same_machine(self) -> bool | None:
        """None when one side does not tell."""
        return self.is_one_machine or self.a.hw_id == self.b.hw_id if self.a.hw_id and self.b.hw_id else None


@dataclass(frozen=True, kw_only=True)
class MachineRate:
    """One machine's launches of one row, compared with the other machines."""

    party: StudyRef
    rate: Estimate  # samples per second
    ratio: Estimate  # over the median of the other machines
    verdict: Verdict  # of its launches against the median of the others; holds for all machines together
    word: str | None  # FASTER or SLOWER: this one is an outlier; None: it is one of the others
    p: float | None  # of the step of the test that named it

    @property
    def shown(self) -> str:
        """The word that it gets: as an outlier, else against the others one by one."""
        return self.word or self.verdict.word


@dataclass(frozen=True, kw_only=True)
class RowAcrossMachines:
    """One row over many machines."""

    configuration: Configuration
    machines: tuple[MachineRate, ...]  # in the order they were asked for
    spread: float | None  # standard deviation of the log rates of the machines that are not named
    absent: tuple[str, ...]  # who has no number in this row, and why
    reasons: tuple[str, ...]  # why nobody can be named as an outlier
    could_name: float | None = None  # the ratio from which the test over all machines names one, with 80 % power


@dataclass(frozen=True, kw_only=True)
class Machines:
    """Many machines, each with a study of one workload."""

    parties: tuple[StudyRef, ...]
    left_out: tuple[str, ...]  # who may not be compared with the first, and why
    rows: tuple[RowAcrossMachines, ...]
    notes: tuple[str, ...]
    margin: float


@dataclass(frozen=True, kw_only=True)
class FalseAlarms:
    """How often a verdict saw a difference between launches of one configuration."""

    alarms: int
    comparisons: int
    low: float | None = None  # 95 % interval of the rate; None where comparisons share launches
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A machine against itself: one configuration, launched again and again."""

    study_id: str
    created_at: str
    hw_id: str
    workload: str  # `bench.analysis.comparing.comparable.workload_key`
    configuration: str
    device: str
    launches: int
    cv: Estimate  # standard deviation of the log rates of launches; n launches
    within_pairs: Estimate  # the same of two launches in a row, without what drifts over the study; n pairs
    drift: Estimate  # second half of the launches over the first
    disjoint: FalseAlarms  # of comparisons that share no launch
    halves: FalseAlarms  # of random halves of all launches
    launches_per_side: int  # of each of the disjoint comparisons
    margin: float
    detectable: Mapping[int, float] = field(default_factory=dict)  # launches a side -> ratio seen with 80 % power
    schema: str = "bench.calibration/1"
