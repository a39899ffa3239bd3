"""Over seeds, not over launches: launches that repeat a seed say how far rounding carries, not how far luck does."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bench.analysis.result import Estimate
from bench.analysis.statistics.intervals import share_mean
from bench.store.schema import Epoch, Launch


def over_seeds(values: Mapping[int, Sequence[float]], what: str) -> Estimate | None:
    """The mean over seeds of a share that each launch ends with; None without launches.

    A seed's own launches are averaged first: they are no replicates of its luck. t interval on the shares themselves,
    from three seeds on.

    Args:
        values: what the launches of each seed came to, by seed.
        what: its name, for the method.
    """
    means = [float(np.mean(each)) for each in values.values() if each]
    return share_mean(means, f"t interval on {what} over seeds") if means else None


def last_epochs(epochs: Iterable[Epoch]) -> list[Epoch]:
    """The last epoch of every launch: one that stopped early ends with its own."""
    last: dict[str, Epoch] = {}
    for epoch in epochs:
        if epoch.launch_id not in last or epoch.epoch > last[epoch.launch_id].epoch:
            last[epoch.launch_id] = epoch
    return list(last.values())


def last_top1(launches: Iterable[Launch], epochs: Iterable[Epoch]) -> dict[str, dict[int, float]]:
    """Top-1 after each launch's last epoch, by configuration and seed: the mean over a seed's launches, shares."""
    by_id = {launch.launch_id: launch for launch in launches}
    found: dict[str, dict[int, list[float]]] = {}
    for epoch in last_epochs(epochs):
        if launch := by_id.get(epoch.launch_id):
            found.setdefault(launch.configuration, {}).setdefault(launch.seed, []).append(epoch.top1)
    return {row: {seed: float(np.mean(each)) for seed, each in seeds.items()} for row, seeds in found.items()}
