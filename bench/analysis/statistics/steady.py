"""One launch's steps: where its steady state begins, and how fast it was from there on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from bench.analysis.result import StepTime
from bench.store import schema
from bench.transient import slow_start

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

SLOWING, WARMING = "slowing", "still warming"

MINIMUM_BATCHES = 4  # of five steps: fewer leave nothing to compare
DRIFT_BATCH = 10  # entries per batch mean: long enough for neighbours to be nearly independent
DRIFT_BATCHES = 6  # shorter batches before fewer batches: three points on a line convince nobody
DRIFT_SHORTEST = 3
DRIFT_SIGNIFICANCE = 0.05
DRIFT_MATTERS = 0.01  # of the step length, over the whole kept window
OUTLIER_MADS = 10.0


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Every step of one launch, all ranks: arrays of one length, one entry per rank and step (or block of steps)."""

    COLUMNS: ClassVar[tuple[str, ...]]  # of the table of steps: what `from_columns` needs

    rank: IntArray
    epoch: IntArray
    step: IntArray  # index within the launch; the same number means the same optimizer step on every rank
    in_window: BoolArray
    start_ns: IntArray  # since the barrier that all ranks left together
    step_ns: IntArray  # length of the whole entry
    data_wait_ns: IntArray
    samples: IntArray  # of this rank
    steps: IntArray  # optimizer steps in this entry: 1, or a block's length
    segment: IntArray = field(
        default_factory=lambda: np.zeros(0, dtype=np.int64)
    )  # stretch between two synchronisations

    def __post_init__(self) -> None:
        if self.segment.size != self.step.size:  # nobody said: one an epoch
            object.__setattr__(self, "segment", np.zeros_like(self.step))

    @classmethod
    def from_columns(cls, columns: Mapping[str, npt.NDArray[Any]]) -> "Steps":
        """From one launch's columns of the step table, as the store reads them."""
        timed = np.asarray(columns["phase"] == schema.WINDOW, dtype=np.bool_)
        return cls(in_window=timed, **{each.name: columns[each.name] for each in fields(cls) if each.name in columns})


Steps.COLUMNS = ("phase", *(each.name for each in fields(Steps) if each.name != "in_window"))


@dataclass(frozen=True, kw_only=True)
class Rate:
    """All ranks' work over the time that passed."""

    samples: int
    wall_ns: int

    @property
    def throughput_sps(self) -> float:
        """Samples per second over all ranks."""
        return self.samples / self.wall_ns * 1e9


@dataclass(frozen=True, kw_only=True)
class Window:
    """What is kept of one launch: its timed window after the cut."""

    rate: Rate
    steps: int  # optimizer steps kept, per rank
    step_ns: FloatArray  # length of each step on its slowest rank
    data_wait: float  # share of all ranks' time spent waiting for a batch
    drift: str | None  # SLOWING, WARMING or None
    outliers: int  # steps far outside the rest: flagged, kept in every number


def window(steps: Steps, cut: int) -> Window:
    """The launch's timed window without its first `cut` steps.

    Raises:
        ValueError: as for `launch_rate`.
    """
    rate = launch_rate(steps, cut)
    left = kept(steps, cut)
    lengths = slowest_rank(left)
    return Window(
        rate=rate,
        steps=int(_per_step(left)[1].sum()),
        step_ns=lengths,
        data_wait=float(left.data_wait_ns.sum() / left.step_ns.sum()),
        drift=tail_drift(lengths),
        outliers=outliers(lengths),
    )


def kept(steps: Steps, cut: int) -> Steps:
    """The entries of the timed window whose step is not among its first `cut`."""
    inside = _where(steps, steps.in_window)
    if cut <= 0 or not inside.step.size:
        return inside
    index, counts = _per_step(inside)
    before = np.cumsum(counts) - counts
    return _where(inside, before[index] >= cut)


def launch_rate(steps: Steps, cut: int) -> Rate:
    """Throughput of one launch: all ranks' samples over wall time, the slowest rank included and nothing trimmed.

    `X = sum of samples / sum over epochs of (max over ranks of end - min over ranks of start)`. Epochs are bracketed
    one by one because evaluation stands between them, and parts of an epoch where a checkpoint does. Starts count from
    a barrier that all ranks left together, so this also holds for ranks on several hosts, whose clocks differ.

    Raises:
        ValueError: no timed step is left after the cut, or what is left took no time or held no samples.
    """
    left = kept(steps, cut)
    if not left.step.size:
        raise ValueError(f"no timed step is left after a cut of {cut}")
    ends = left.start_ns + left.step_ns
    wall_ns = 0
    bracket = left.epoch * (int(left.segment.max()) + 1) + left.segment
    for each in np.unique(bracket):
        mine = bracket == each
        wall_ns += int(ends[mine].max() - left.start_ns[mine].min())
    samples = int(left.samples.sum())
    if wall_ns <= 0 or samples <= 0:
        raise ValueError(f"the timed window holds {samples} samples in {wall_ns} ns")
    return Rate(samples=samples, wall_ns=wall_ns)


def slowest_rank(steps: Steps) -> FloatArray:
    """Length in ns of each step on its slowest rank, in order; a block of k steps counts as one entry of its mean."""
    index, counts = _per_step(steps)
    longest = np.zeros(len(counts))
    np.maximum.at(longest, index, steps.step_ns / steps.steps)
    return longest


def mser_cut(step_ns: npt.ArrayLike, batch: int = 5) -> int:
    """How many leading entries belong to the transient, by MSER-5.

    With means `b_1..b_m` of five entries each, the cut is `5 d*`, where `d*` in `0..m/2` minimises
    `sum over i > d of (b_i - mean)^2 / (m - d)^2`: the squared standard error of what would be kept.
    White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69 (1997);
    batches of five: White, Cobb and Spratt, Winter Simulation Conference (2000).

    It finds a start that differs from the rest. It does not find a slow trend: see `tail_drift`.

    >>> mser_cut([30.0] * 5 + [10.0, 11.0] * 20)
    5
    """
    values = np.asarray(step_ns, dtype=np.float64)
    m = len(values) // batch
    if m < MINIMUM_BATCHES:
        return 0
    means = values[: m * batch].reshape(m, batch).mean(axis=1)
    # From the end, so that entry k - 1 of a running sum covers the last k batches; centred to keep the digits.
    backwards = (means - np.median(means))[::-1]
    size = np.arange(1, m + 1)
    squared_error = (np.cumsum(backwards**2) / size - (np.cumsum(backwards) / size) ** 2) / size
    choices = np.arange(m // 2 + 1)
    return int(choices[np.argmin(squared_error[m - 1 - choices])]) * batch


def equal_cut(launches: Sequence[Steps], *, by_mser: bool = False) -> int:
    """Steps to cut from every launch of one configuration: the largest cut that any of them needs.

    Equal for all, so that each launch contributes the same part of its life; never more than half of the shortest
    window. Where ranks time until their window is steady by the same test (`transient.slow_start`), there is nothing to
    cut from it.

    Args:
        launches: their steps.
        by_mser: as studies of earlier methods were told; it cuts from one steady launch in three.
    """
    cuts, halves = [0], []
    for each in launches:
        timed = kept(each, 0)
        if not timed.step.size:
            continue
        _, counts = _per_step(timed)
        whole = slowest_rank(each)
        cut = mser_cut(slowest_rank(timed)) if by_mser else slow_start(whole, len(whole) - len(counts))
        cuts.append(int(counts[:cut].sum()))
        halves.append(int(counts.sum()) // 2)
    return min(max(cuts), min(halves, default=0))


def tail_drift(step_ns: npt.ArrayLike) -> str | None:
    """Whether step lengths still change over the kept window: SLOWING, WARMING or None.

    Least squares on means of 10 entries, fewer where the window has not six such batches (`line`):
    the slope must be significant at 5 % and amount to more than 1 % of the mean step over the window. Blind below 18
    entries. A launch without drift is accused about once in 20, more often when its steps hang together (AR(1) with
    phi 0.8: once in 6); so a row is judged by the majority of its launches, never by one (`validity.row_findings`).
    """
    values = np.asarray(step_ns, dtype=np.float64)
    batch = min(DRIFT_BATCH, len(values) // DRIFT_BATCHES)
    if batch < DRIFT_SHORTEST:
        return None
    m = len(values) // batch
    means = values[: m * batch].reshape(m, batch).mean(axis=1)
    if np.ptp(means) <= DRIFT_MATTERS * means.mean() / 2:
        return None  # too flat to matter, and a constant has no correlation to test
    slope, p_value = line(means)
    change = slope * m / means.mean()
    if p_value >= DRIFT_SIGNIFICANCE or abs(change) <= DRIFT_MATTERS:
        return None
    return SLOWING if change > 0 else WARMING


def line(values: FloatArray) -> tuple[float, float]:
    """Slope of the least-squares line through values at 0, 1, 2, … and the two-sided p of its being nothing.

    With correlation r, `t = r sqrt((m - 2) / (1 - r^2))` on m - 2 degrees of freedom: what `scipy.stats.linregress`
    gives, whose checks take a millisecond, and a report asks for thousands of launches.
    """
    m = len(values)
    x = np.arange(m) - (m - 1) / 2
    y = values - values.mean()
    slope = float(x @ y / (x @ x))
    r_squared = min(1.0, slope**2 * float(x @ x) / float(y @ y))
    if r_squared == 1.0:
        return slope, 0.0
    t = np.sqrt(r_squared * (m - 2) / (1 - r_squared))
    return slope, float(2 * special.stdtr(m - 2, -t))


def step_time(windows: Sequence[Window]) -> StepTime:
    """Percentiles of the step length in ms, slowest rank of each step, all launches of a row."""
    p50, p95, p99 = np.percentile(np.concatenate([each.step_ns for each in windows]), [50, 95, 99]) / 1e6
    return StepTime(p50=float(p50), p95=float(p95), p99=float(p99))


def outliers(step_ns: npt.ArrayLike) -> int:
    """Entries further than 10 x 1.4826 x MAD from the median (for a normal distribution: 10 standard deviations).

    For display only. A stall is part of what training costs, so none is ever dropped.
    """
    values = np.asarray(step_ns, dtype=np.float64)
    distance = np.abs(values - np.median(values))
    return int(np.count_nonzero(distance > OUTLIER_MADS * 1.4826 * np.median(distance)))


def _per_step(steps: Steps) -> tuple[npt.NDArray[np.intp], IntArray]:
    """Place in time of each entry's step, and the number of optimizer steps at each place."""
    key = steps.epoch * (steps.step.max(initial=0) + 1) + steps.step
    _, index = np.unique(key, return_inverse=True)
    counts = np.zeros(index.max(initial=-1) + 1, dtype=np.int64)
    counts[index] = steps.steps
    return index, counts


def _where(steps: Steps, mask: BoolArray) -> Steps:
    return Steps(
        rank=steps.rank[mask],
        epoch=steps.epoch[mask],
        step=steps.step[mask],
        in_window=steps.in_window[mask],
        start_ns=steps.start_ns[mask],
        step_ns=steps.step_ns[mask],
        data_wait_ns=steps.data_wait_ns[mask],
        samples=steps.samples[mask],
        steps=steps.steps[mask],
        segment=steps.segment[mask],
    )
