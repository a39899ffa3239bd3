"""The findings of a study and of its rows: what every output tells, and has not to compute any more. Nouns only."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench.plan import Configuration, Published

FASTER, SLOWER, EQUIVALENT, INCONCLUSIVE, INVALID = "FASTER", "SLOWER", "EQUIVALENT", "INCONCLUSIVE", "INVALID"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval. `low` and `high` are None when n is too small to give one."""

    estimate: float
    low: float | None
    high: float | None
    n: int  # launches (or complete rounds, for a ratio), never steps
    method: str  # e.g. "t interval on log throughput over launches"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A word with its reason, against the baseline row."""

    word: str
    reasons: tuple[str, ...]
    detectable: float | None  # smallest ratio the data could have told from 1 (80 % power), e.g. 1.04
    rounds_needed: int | None  # rounds that would tell the margin from 1; None when already decided
    beyond_margin: bool = False  # the interval also clears the practical margin


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """Percentiles of the length of a step in the kept windows, all launches, slowest rank of each step; ms."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """The last epoch's validation result, mean over the row's launches; shares of the validation set."""

    top1: float
    top5: float | None
    loss: float
    epoch: int  # epochs trained, by the launch that trained most
    seeds: int = 1  # different ones among the launches
    low: float | None = None  # 95 % interval of top1 over seeds; None for fewer than three
    high: float | None = None
    best_top1: float | None = None  # of the epoch whose mean over launches is highest: picked on the validation set
    best_epoch: int | None = None  # from 1
    train_top1: float | None = None  # of the last epoch, augmentation included
    gap: float | None = None  # generalisation gap: train_top1 - top1


@dataclass(frozen=True, kw_only=True)
class TimeTo:
    """How long until a validation accuracy was reached, mean over the launches that reached it."""

    top1: float  # the target, a share
    reached: int  # launches that did
    launches: int
    epochs: float | None  # whole ones, trained and evaluated; None: none reached it
    cold_s: float | None  # from the start of the processes; None: not recorded either
    warm_s: float | None  # from the first step
    train_s: float | None  # training steps alone


@dataclass(frozen=True, kw_only=True)
class EpochTime:
    """Seconds one epoch takes."""

    estimate: float
    projected: bool  # from throughput and the size of the training set, because no whole epoch was timed


@dataclass(frozen=True, kw_only=True)
class Row:
    """One configuration of the study."""

    configuration: Configuration
    is_baseline: bool
    status: str  # STATUS of the contract; the worst that should be known
    reasons: tuple[str, ...]
    launches: int = 0  # launches that gave a number
    launches_failed: int = 0
    rates: tuple[float, ...] = ()  # samples per second of each launch, in order of rounds
    throughput: Estimate | None = None  # samples per second, global
    speedup: Estimate | None = None  # against the baseline, paired by round
    efficiency: Estimate | None = None  # speedup over the ratio of resources (ranks; cores for the all-cores row)
    verdict: Verdict | None = None
    step_ms: StepTime | None = None
    epoch_s: EpochTime | None = None
    data_wait: float | None = None
    communication: float | None = None  # share of a step in the all-reduce outside compute
    peak_memory_bytes: int | None = None
    accuracy: Accuracy | None = None
    mfu: float | None = None  # achieved over peak FLOP/s; None with a reason in `reasons_null`
    cut_steps: int = 0  # steps cut from every launch of this row beyond the warm-up floor
    reasons_null: dict[str, str]  # column -> why it is missing
    times_to: tuple[TimeTo, ...] = ()  # by target, lowest first

    @property
    def key(self) -> str:
        """What launches and findings call this row."""
        return self.configuration.key

    @property
    def is_invalid(self) -> bool:
        """The row was refused a verdict, so there is no ratio to speak of."""
        return self.verdict is not None and self.verdict.word == INVALID


@dataclass(frozen=True, kw_only=True)
class Title:
    """What was run: stands above every table."""

    model: str
    params: int | None
    data: str
    precision: str
    memory_format: str
    scaling: str  # weak or strong
    batch: int  # per rank when weak, global when strong
    seed: int
    rounds: int
    window: str  # e.g. "30 steps", "4 s", "8 epochs"
    device: str
    seeds: tuple[int, ...] = ()  # of the rounds, where they differ; else `seed` is that of all
    profile: str | None = None
    ddp: str = ""  # options of DDP beside our own, in the rows that have it


@dataclass(frozen=True, kw_only=True)
class PublishedComparison:
    """A published result, and what was measured of the same thing."""

    published: Published
    configuration: str  # the row
    measured: Estimate | None  # in the published unit; None with a reason
    difference: Estimate | None  # measured - published; of shares in points
    ratio: float | None  # measured / published, of speeds and times
    apart: tuple[str, ...]  # in what the two runs differ: the length, the hardware
    reason: str | None = None  # why nothing was measured


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a profile wants reached, compared with a row."""

    metric: str  # of plan.TARGETS
    wanted: float
    at_most: bool  # else at least
    configuration: str
    measured: float | None
    missed_by: float | None  # how much is lacking; 0: reached; None: not measured


@dataclass(frozen=True, kw_only=True)
class Law:
    """Amdahl's or Gunther's law over the measured counts of one strategy; a description, never a forecast."""

    name: str
    strategy: str
    device: str
    cores_per_rank: int | None  # of every row that it describes; None where these differ or are not set
    parameters: Mapping[str, Estimate]  # those that could be told from nothing, over rounds
    resources: tuple[float, ...]  # times the baseline's, within the measured range
    low: tuple[float, ...]  # of the speedup, 95 % over rounds
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A whole study, analysed."""

    study_id: str
    method_version: int
    title: Title
    rows: tuple[Row, ...]  # baseline first, then by strategy and number of ranks (as numbers)
    warnings: tuple[str, ...]  # each with its effect and a fix
    quick: bool  # too few rounds for verdicts, by the user's wish
    margin: float  # practical margin of the verdicts, e.g. 0.02
    hw_id: str | None
    sw_id: str | None
    num_id: str | None
    published: tuple[PublishedComparison, ...] = ()
    targets: tuple[Target, ...] = ()
    laws: tuple[Law, ...] = ()
    no_law: str = ""  # why no law describes the rows; empty when one does

    @property
    def baseline(self) -> Row | None:
        """The row everything is compared with: the plain single-device run."""
        return next((row for row in self.rows if row.is_baseline), None)


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
class Cause:
    """One thing that usually costs accuracy, as this run did it."""

    name: str
    seen: str  # what the record says
    low: float | None  # its usual cost in points of top-1; None: all that was to be learned
    high: float | None
    source: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was looked for in one row, and what of it was found."""

    configuration: str
    top1: float | None
    causes: tuple[Cause, ...]  # the costliest first
    sound: tuple[str, ...]  # names of the causes that this run does not have
