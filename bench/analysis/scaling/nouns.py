"""What is found of a row beyond the table: where its steps, its arithmetic and its energy go. Nouns only."""

import math
from dataclasses import dataclass

from bench.analysis.result import Estimate


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
