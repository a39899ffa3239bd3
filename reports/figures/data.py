"""What each chart is drawn from: plain numbers, already computed. Nothing here draws, reads a file or loads matplotlib.

Shares are fractions (1.0 is 100 %). An `Estimate` without an interval is drawn as a point without one. Whatever has no
number is left out of the marks and named in `absent`, with its reason, so that a chart never hides a row.
"""

import math
from dataclasses import dataclass

from bench.analysis.result import Estimate


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What all charts have."""

    key: str  # lower case letters, digits and dashes; unique in one page; names files and the SVG's ids
    title: str  # e.g. "Speedup"
    setup: str  # e.g. "resnet18, synthetic; weak scaling, batch 64 on every rank; fp32"
    absent: tuple[str, ...] = ()  # what is not drawn, and why, e.g. "ddp on 4 ranks: crash"


@dataclass(frozen=True, kw_only=True)
class ScalingPoint:
    """One configuration of a scaling line."""

    resources: float  # place on the axis: ranks or cores
    estimate: Estimate  # speedup, or efficiency as a fraction
    launches: tuple[float, ...] = ()  # the same quantity of each single launch or round
    names: tuple[str, ...] = ()  # of these launches, where they are known


@dataclass(frozen=True, kw_only=True)
class ScalingLine:
    """One strategy on one kind of device; points in order of resources."""

    label: str
    points: tuple[ScalingPoint, ...]


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """The range of a fitted law (Amdahl, USL) over the measured counts; there only where it can be identified."""

    label: str
    resources: tuple[float, ...]  # within the measured range
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Speedup(Chart):
    """Speedup against resources, with the ideal line."""

    resource: str  # what is counted on the axis: "ranks", "cores", "GPUs"
    baseline: str  # what one is, with its rate: "single: 1 302 samples/s"
    baseline_resources: float = 1  # resources of the baseline, where the ideal line passes 1
    lines: tuple[ScalingLine, ...]
    envelopes: tuple[Envelope, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Efficiency(Chart):
    """Efficiency against resources, 0 to 110 %."""

    resource: str
    baseline: str
    lines: tuple[ScalingLine, ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a step."""

    name: str  # the same name means the same colour in every bar
    ms: float


@dataclass(frozen=True, kw_only=True)
class StepBar:
    """One row: the parts of its step, which sum to `total_ms`."""

    label: str
    total_ms: float  # p50
    parts: tuple[Part, ...]  # in order of time; at most six names over all bars

    def __post_init__(self) -> None:
        """Raises ValueError for parts that are not the step: a bar must not show what was not measured."""
        if any(part.ms < 0 for part in self.parts):
            raise ValueError(f"{self.label}: a negative part of a step")
        together = math.fsum(part.ms for part in self.parts)
        if self.parts and not math.isclose(together, self.total_ms, rel_tol=1e-3):
            raise ValueError(f"{self.label}: the parts of a step come to {together:g} ms, not to {self.total_ms:g}")


@dataclass(frozen=True, kw_only=True)
class StepParts(Chart):
    """Where the time of a step goes."""

    bars: tuple[StepBar, ...]


@dataclass(frozen=True, kw_only=True)
class LaunchSteps:
    """The step times of one launch in order, warm-up included; the slowest rank of each step."""

    launch: str  # short, e.g. "round 3"
    step_ms: tuple[float, ...]
    warmup_steps: int  # leading entries before the window
    cut_steps: int = 0  # entries after the warm-up that were cut as not yet steady


@dataclass(frozen=True, kw_only=True)
class SteadyRow:
    """One row: the launches of one configuration, drawn in one panel."""

    label: str
    launches: tuple[LaunchSteps, ...]
    of: int = 0  # how many there are, where only some are given (`thinning.lines_of` are drawn at most)


@dataclass(frozen=True, kw_only=True)
class Steadiness(Chart):
    """Step time by index: one small panel a row, one line a launch, warm-up and cut shaded."""

    rows: tuple[SteadyRow, ...]


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """One run, an entry an epoch; the mean over launches where several ran."""

    label: str
    samples: tuple[float, ...]  # trained on at the end of each epoch, all ranks
    seconds: tuple[float, ...]  # of training, evaluation left out
    train_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    validation_accuracy: tuple[float, ...]
    launches: int = 1


@dataclass(frozen=True, kw_only=True)
class Learning(Chart):
    """Four panels: loss and accuracy, against samples and against seconds; at most six curves."""

    curves: tuple[LearningCurve, ...]
    published_accuracy: float | None = None  # a line to compare with, labelled "published"


@dataclass(frozen=True, kw_only=True)
class RateLine:
    """The learning rate of one run."""

    label: str
    epochs: tuple[float, ...]
    learning_rate: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class LearningRate(Chart):
    """Learning rate by epoch."""

    lines: tuple[RateLine, ...]


@dataclass(frozen=True, kw_only=True)
class ClassBar:
    """One class after the last epoch; None where nothing was called so, or there was none."""

    name: str
    support: int
    recall: float | None
    precision: float | None
    f1: float | None
    published: float | None = None  # recall that was published


@dataclass(frozen=True, kw_only=True)
class Classes(Chart):
    """Accuracy (recall) of each class as bars, best first; precision and F1 in the table."""

    classes: tuple[ClassBar, ...]


@dataclass(frozen=True, kw_only=True)
class Confusion(Chart):
    """How often class i (row) was called class j (column); drawn raw, or as shares of each row."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    normalised: bool = False


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One value with its interval and launches."""

    label: str
    estimate: Estimate
    launches: tuple[float, ...] = ()
    note: str = ""  # beside the value, e.g. "SLOWER"


@dataclass(frozen=True, kw_only=True)
class Bars(Chart):
    """Things side by side that have no order: models, devices, machines, strategies. Bars start at 0."""

    quantity: str  # axis label without the unit: "throughput", "energy"
    unit: str  # "samples/s", "J/sample"; "" for a bare ratio
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """A limit of the hardware, drawn as a line across the bar."""

    name: str  # e.g. "published peak, bf16", "measured matmul"
    tflops: float


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Arithmetic that one row reached, over all its devices, beneath its ceilings."""

    label: str
    tflops: float
    ceilings: tuple[Ceiling, ...]


@dataclass(frozen=True, kw_only=True)
class Limits(Chart):
    """Reached TFLOP/s beneath what the hardware can do."""

    rows: tuple[Reached, ...]
