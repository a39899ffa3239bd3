"""What a report tells of studies beyond their tables: nouns only, so that every form of it renders the same object."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.analysis.comparing.nouns import Comparison, Difference
from bench.analysis.result import Estimate, Study


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """One launch: where a point of a chart comes from, and every failure by name."""

    launch_id: str
    configuration: str
    round: int
    method_version: int  # of what was measured and how
    status: str
    reason: str | None
    rate_sps: float | None  # after the cut; None without a timed step
    speedup: float | None  # over the baseline of the same round; None where the row may have no ratio


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Step times of one launch in order, warm-up included; the slowest rank of each step."""

    configuration: str
    round: int
    step_ms: tuple[float, ...]
    warmup_steps: int  # the first so many stand before the window
    cut_steps: int  # and so many after them were cut as not yet steady


@dataclass(frozen=True, kw_only=True)
class Traces:
    """The traces of one row, and how they were chosen."""

    configuration: str
    traces: tuple[Trace, ...]
    launches: int  # that have steps; more than `traces` when only some are drawn


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a step."""

    name: str
    ms: float


@dataclass(frozen=True, kw_only=True)
class StepParts:
    """Where the median step of a row goes; the parts add up to it."""

    configuration: str
    total_ms: float
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for parts that are not the step: nobody may be shown what was not measured."""
        if any(part.ms < 0 for part in self.parts):
            raise ValueError(f"{self.configuration}: a negative part of a step")
        together = math.fsum(part.ms for part in self.parts)
        if self.parts and not math.isclose(together, self.total_ms, rel_tol=1e-3):
            what = f"the parts of a step come to {together:g} ms, not to {self.total_ms:g}"
            raise ValueError(f"{self.configuration}: {what}")


@dataclass(frozen=True, kw_only=True)
class EpochPoint:
    """One epoch of a row: means over its launches."""

    epoch: int  # epochs trained, from 1
    samples: float  # trained on so far, all ranks
    seconds: float  # of training so far, evaluation left out
    learning_rate: float
    train_loss: float
    train_top1: float
    validation_loss: float
    top1: float
    top5: float | None


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What one row learned. Launches that patience ended early count with the last epoch of their own."""

    configuration: str
    launches: int
    points: tuple[EpochPoint, ...]  # over the epochs that all of them trained
    train_s: float  # to the last epoch of each, evaluation left out; mean over launches
    final_top1: Estimate  # share of the validation set right after the last epoch, over launches
    best_top1: float  # of the best epoch of the mean curve
    best_epoch: int
    gap: Estimate | None  # final top-1 minus the baseline's, in shares, paired by round; None for the baseline


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """One class after the last epoch, all launches of the row pooled."""

    name: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Every class of one row, and how often each was called which."""

    configuration: str
    epoch: int  # epochs trained, by the launch that trained most
    launches: int  # pooled
    classes: tuple[ClassResult, ...]
    confusion: tuple[tuple[int, ...], ...]  # row: what it is; column: what it was called


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """What the hardware of a row can do at most."""

    name: str  # e.g. "published peak, bf16", "measured product of matrices, fp32"
    flop_per_s: float  # over all devices of the row
    source: str


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Arithmetic that a row reached beneath its ceilings."""

    configuration: str
    flop_per_s: float
    ceilings: tuple[Ceiling, ...]


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Joules per sample of a row, or why there are none."""

    configuration: str
    per_sample_j: Estimate | None
    mean_w: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Card:
    """One machine with its software, as the launches saw it."""

    hw_id: str
    sw_id: str
    num_id: str | None
    launches: int
    identity: Mapping[str, str]  # field -> text, as `bench.analysis.comparing.dna_effects` spells fields
    software: Mapping[str, str]
    conditions: Mapping[str, str]  # at the first of its launches
    numeric: Mapping[str, str]
    measured: Mapping[str, str]
    unavailable: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """One study with everything that a report shows of it. All but the study may be empty."""

    study: Study
    created_at: str = ""  # UTC, ISO 8601
    command: str = ""  # what repeats it
    facts: Mapping[str, str] = field(default_factory=dict)  # of the workload and the plan, for method and captions
    launches: tuple[Attempted, ...] = ()
    traces: tuple[Traces, ...] = ()
    parts: tuple[StepParts, ...] = ()
    learned: tuple[Learned, ...] = ()
    classes: tuple[Classes, ...] = ()
    energy: tuple[Energy, ...] = ()
    reached: tuple[Reached, ...] = ()
    cards: tuple[Card, ...] = ()
    drift: tuple[Difference, ...] = ()  # fields that differ between the launches of this study


@dataclass(frozen=True, kw_only=True)
class Report:
    """One or several studies, told together."""

    studies: tuple[StudyReport, ...]
    title: str = ""  # the reader's own; empty: made from the studies
    differences: tuple[Difference, ...] = ()  # of the machines of the first two studies that differ
    comparison: Comparison | None = None  # the study, as B, judged against the one asked for by --compare
    anonymous: bool = False

    @property
    def name(self) -> str:
        """What its files are called."""
        first, *others = (each.study.study_id for each in self.studies)
        return f"{first}-and-{len(others)}-more" if others else first


def alone(study: Study) -> Report:
    """The report of a study of which only the table is known."""
    return Report(studies=(StudyReport(study=study),))
