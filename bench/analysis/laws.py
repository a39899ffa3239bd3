"""Amdahl's and Gunther's law over the counts that were measured: a description with an interval, never a forecast.

Both are linear in their parameters once turned over. With `N` times the resources and the speedup `S`:

    N / S = 1 + sigma (N - 1) + kappa N (N - 1)

`sigma` is the share that waits for the others (Amdahl 1967: the serial share, `kappa = 0`), `kappa` what the exchange
between every pair costs (Gunther, "A simple capacity model of massively parallel transaction systems", 1993). Each
round gives its own fit, and the intervals are over rounds, as those of the speedups are.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bench.analysis.intervals import LAUNCHES_FOR_AN_INTERVAL, rate_interval
from bench.analysis.report import Law
from bench.analysis.result import Estimate
from bench.analysis.series import share_estimate

COUNTS = 4  # of resources, the baseline's among them: fewer cannot tell two parameters from noise
CURVE = 33  # places at which the envelope is drawn

FloatArray = npt.NDArray[np.float64]


def fit(strategy: str, device: str, ratios: Mapping[float, Mapping[int, float]]) -> Law | str:
    """Gunther's law for one strategy on one kind of device, or why there is none.

    Args:
        strategy: whose counts these are.
        device: on which kind of device.
        ratios: times the baseline's resources -> round -> speedup over the baseline of that round; without the
            baseline itself, whose speedup is 1 by definition.
    """
    counts = sorted(count for count in ratios if count > 1)
    if len(counts) + 1 < COUNTS:
        told = f"{len(counts) + 1} count{'s' * (len(counts) > 0)} of resources"
        return f"{told} cannot tell a law's parameters from noise; {COUNTS} can"
    rounds = sorted(set.intersection(*(set(ratios[count]) for count in counts)))
    if len(rounds) < LAUNCHES_FOR_AN_INTERVAL:
        return f"{len(rounds)} complete rounds give no interval; three do"
    n = np.asarray(counts, dtype=np.float64)
    fits = [_parameters(n, np.asarray([ratios[count][each] for count in counts])) for each in rounds]
    places = np.linspace(1.0, n[-1], CURVE)
    curves = np.asarray([_speedup(places, *each) for each in fits])
    bands = [_band(curves[:, place]) for place in range(CURVE)]
    method = "least squares in each round, t interval over rounds"
    return Law(
        name="Universal Scalability Law" if any(kappa > 1e-9 for _, kappa in fits) else "Amdahl's law",
        strategy=strategy,
        device=device,
        parameters={
            "sigma": share_estimate([sigma for sigma, _ in fits], method),
            "kappa": share_estimate([kappa for _, kappa in fits], method),
        },
        resources=tuple(places.tolist()),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
    )


def _parameters(n: FloatArray, speedup: FloatArray) -> tuple[float, float]:
    """The two shares, neither below nothing: a negative share of waiting is noise, not a law."""
    matrix, wanted = np.column_stack([n - 1, n * (n - 1)]), n / speedup - 1
    sigma, kappa = np.linalg.lstsq(matrix, wanted)[0].tolist()
    if sigma >= 0 and kappa >= 0:
        return sigma, kappa
    # Where the best of all is not allowed, the best that is allowed has one of the two at 0. (`scipy.optimize.nnls`
    # gives the same; importing it takes longer than all the fits of a report.)
    alone = [max(0.0, float(column @ wanted / (column @ column))) for column in matrix.T]
    edges = [(alone[0], 0.0), (0.0, alone[1])]
    return min(edges, key=lambda edge: float(np.sum((matrix @ edge - wanted) ** 2)))


def _speedup(n: FloatArray, sigma: float, kappa: float) -> FloatArray:
    return n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def _band(speedups: Sequence[float] | FloatArray) -> tuple[float, float]:
    found: Estimate = rate_interval([float(each) for each in speedups])
    low, high = found.low, found.high
    return (found.estimate if low is None else low, found.estimate if high is None else high)
