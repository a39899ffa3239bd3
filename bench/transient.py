"""Where the slow start of a launch ends. Pure, and low down: the rank that times and the analysis ask the same."""

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_MEANS = 80  # at least, where there are entries enough: neighbours then hang together little, and a place is found well
_AT_LEAST = 8  # means, to compare anything
_BESIDE = 8  # means right before a place, in the warm-up too, that must be unlike those behind it
_UNLIKE = 2.8  # standard deviations of a rank sum
_MATTERS = 0.005  # of the mean step in the window


def slow_start(step_ns: npt.ArrayLike, first: int) -> int:
    """How many entries, from `first` on, still belong to the start of a launch; 0: its window is steady.

    The whole launch is looked at, warm-up included: a window of few long steps cannot show that its first two are
    slow, and the warm-up that was as slow does. With means `b_1..b_m` of equally many entries and their ranks `r_i`,
    the place is the `d`, at most half of the window after its start, that maximises the standardised rank sum

        |sum over i <= d of (r_i - (m + 1) / 2)| / sqrt(d (m - d))

    (Lausen and Schumacher, "Maximally selected rank statistics", Biometrics 48, 1992). It counts where the eight means
    before it are unlike all behind it (Mann and Whitney) and where they move the window's mean by half a percent. By
    ranks a stall is one entry, however long: a start that was merely hit by one stays, or rates would be flattered. A
    start that is too fast counts like one that is too slow, for the same reason.

    >>> slow_start([220.0] * 13 + [150.0 + each % 3 for each in range(11)], first=10)
    3
    """
    values = np.asarray(step_ns, dtype=np.float64)
    size = max(1, len(values) // _MEANS)
    m = len(values) // size
    if m < _AT_LEAST:
        return 0
    means = values[: m * size].reshape(m, size).mean(axis=1)
    start = first // size  # the mean in which the window begins
    place = _place(means, start + (m - start) // 2)
    if place * size <= first:
        return 0
    before, behind = means[min(start, max(0, place - _BESIDE)) : place], means[place:]
    # From the median behind: the mean, with a stall in it, would hide what stands before the place.
    moved = (place - start) / (m - start) * abs(means[start:place].mean() / np.median(behind) - 1)
    return place * size - first if moved > _MATTERS and abs(_rank_sum(before, behind)) > _UNLIKE else 0


def _place(means: FloatArray, most: int) -> int:
    """Where those before and those behind differ most, at most so many means from the start."""
    ranks = np.argsort(np.argsort(means, kind="stable"), kind="stable") - (len(means) - 1) / 2
    before = np.arange(1, most + 1)
    return int(np.argmax(np.abs(np.cumsum(ranks[:most])) / np.sqrt(before * (len(means) - before)))) + 1


def _rank_sum(some: FloatArray, others: FloatArray) -> float:
    """Mann and Whitney's U, in standard deviations from what it is where nothing differs; ties count half."""
    n, k = len(some), len(others)
    u = float((some[:, None] > others).sum() + (some[:, None] == others).sum() / 2)
    return (u - n * k / 2) / math.sqrt(n * k * (n + k + 1) / 12)
