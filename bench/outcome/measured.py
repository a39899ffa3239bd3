"""What the ranks of a launch left, as columns of its row: of what each measured, how it becomes one value."""

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.analysis.statistics.steady import Steps, launch_rate
from bench.outcome.reasons import LOOKED_INTO, about_checks, about_hosts
from bench.store import schema
from bench.worker import job
from bench.worker.job import RankResult
from launchers import heartbeat


@dataclass(frozen=True, kw_only=True)
class RankOutput:
    """What one rank left: its own words, and its steps when it got that far."""

    rank: int
    folder: Path
    document: Mapping[str, Any]  # how it ended, in its own words; empty when it said nothing
    arrays: Mapping[str, np.ndarray]  # int64 columns of its steps; empty when it timed none

    @cached_property
    def result(self) -> RankResult:
        """What it measured; only of a rank that ended well."""
        return RankResult.from_json(self.document)

    def forget(self) -> None:
        """Remove what the store now holds; logs stay."""
        for file in (job.steps_file(self.folder, self.rank), heartbeat.path(self.folder, self.rank)):
            file.unlink(missing_ok=True)


def read_ranks(folder: Path, processes: int) -> list[RankOutput]:
    """What every rank of a launch left in its folder."""
    ranks = []
    for rank in range(processes):
        arrays: dict[str, np.ndarray] = {}
        file = job.steps_file(folder, rank)
        # A rank that died while it wrote, on a full disk or not, leaves a part: it has timed nothing that can be read.
        with suppress(FileNotFoundError, EOFError, ValueError, zipfile.BadZipFile), np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        document = job.read_result(folder, rank) or {}
        ranks.append(RankOutput(rank=rank, folder=folder, document=document, arrays=arrays))
    return ranks


def _first(values: Sequence[Any]) -> Any:
    """Rank 0's: of the whole group, or equal in all."""
    return values[0]


def _largest(values: Sequence[Any]) -> Any:
    """Of those that say anything."""
    return max((each for each in values if each is not None), default=None)


def _largest_of_all(values: Sequence[Any]) -> Any:
    """None when a rank has none, since the slowest is meant and might be that one."""
    return None if None in values else max(values)


# How what the ranks say becomes the column of that name.
_TOGETHER: Mapping[str, Callable[[Sequence[Any]], Any]] = dict(
    world_size=_first,
    distinct_devices=_first,
    closure_error=_largest,
    clock_ns_per_step=_largest_of_all,
    compute_step_ns=_largest_of_all,
    resumed_epoch=_first,
    resumed_step=_first,
    checkpoint_s=_largest,
    anatomy=_first,
    data_hash=_first,
    data_account=_first,
    params=_first,
    flop_per_sample=_first,
    epoch_samples=_first,
    loss_first=_first,
    loss_last=_first,
    weights_moved=all,
    weights_equal=_first,
    gradient_error=_first,
    gradient_cause=_first,
    collection_s=_largest,
)


def _words(values: Sequence[str]) -> str:
    """Every word that some rank said, once."""
    return ", ".join(sorted({word for text in values for word in filter(None, text.split(", "))}))


# Column -> the rank's word for it, and how the ranks' values become one. Those of one host read the same control group:
# nothing is added up.
_LIMITS: Mapping[str, tuple[str, Callable[[Sequence[Any]], Any]]] = dict(
    cpu_quota=("cpu_quota", min),
    throttled_s=("throttled", max),
    governor=("governor", _words),
    clock_cap_mhz=("clock_cap", min),
    turbo=("turbo", all),
    memory_limit_bytes=("memory_limit", min),
    memory_left_bytes=("memory_left", min),
    gpu_throttling=("gpu_throttling", _words),
)


def measured(launch: schema.Launch, ranks: Sequence[RankOutput], started_ns: int) -> schema.Launch:
    """The row of a launch whose ranks all ended well, with what they measured since they were started."""
    results, steps = [rank.result for rank in ranks], _as_steps(ranks)
    kept, own = steps.in_window, steps.rank == 0
    launch = replace(
        launch,
        **{name: together([getattr(each, name) for each in results]) for name, together in _TOGETHER.items()},
        **limits_of(results),
        device_names=tuple(each.device_name for each in results),
        threads_per_rank=max(each.threads for each in results),
        cores=tuple(each.cores for each in results if each.cores is not None),
        changed=json.dumps(_changed(results)),
        startup_s=(max(each.first_step_monotonic_ns for each in results) - started_ns) / 1e9,
        warmup_steps=int(steps.steps[own & ~kept].sum()),
        window_steps=int(steps.steps[own & kept].sum()),
        loss_finite=all(each.losses_finite for each in results),
        peak_memory_bytes=_largest([each.peak_memory_bytes or None for each in results]),
        energy_j=energy_j(results),
        worker_cpu_s=sum(each.window_cpu_s for each in results),
        involuntary_switches=sum(each.window_switches for each in results),
        warnings=(
            *launch.warnings,
            *[LOOKED_INTO] * results[0].anatomy,
            *results[0].warnings,
            *about_checks(results),
            *about_hosts(results, launch.nodes),
        ),
    )
    if not kept.any():
        return replace(launch, worker_cpu_s=None, involuntary_switches=None)
    rate = launch_rate(steps, cut=0)
    return replace(
        launch,
        window_samples=rate.samples,
        window_ns=rate.wall_ns,
        throughput_sps=rate.throughput_sps,
        data_wait=float(steps.data_wait_ns[kept].sum() / steps.step_ns[kept].sum()),
    )


def energy_j(results: Sequence[RankResult]) -> float | None:
    """Of all ranks; None when one that should have read a counter could not, since a part is not the whole."""
    read = [each.energy_j for each in results if each.energy_j is not None]
    return sum(read) if read and all(each.energy_gap is None for each in results) else None


def _changed(results: Sequence[RankResult]) -> dict[str, list[Any]]:
    """What changed in any rank; of values that differ by rank, all."""
    changed: dict[str, list[Any]] = {}
    for name, values in (pair for each in results for pair in each.changed.items()):
        seen = changed.setdefault(name, [])
        seen += [value for value in values if value not in seen]
    return changed


def limits_of(results: Sequence[RankResult]) -> dict[str, Any]:
    """Every column of limits; None where no rank could tell, or there is no such limit: see `why_null`."""
    found = {}
    for column, (word, together) in _LIMITS.items():
        values = [each.limits["values"][word] for each in results if word in each.limits["values"]]
        found[column] = together(values) if values else None
    return found


def why_no_limits(results: Sequence[RankResult]) -> dict[str, str]:
    """A reason for each column that is None."""
    gaps = [each.limits["gaps"] for each in results]
    return {
        column: next((each[word] for each in gaps if (word := _LIMITS[column][0]) in each), "no rank looked at it")
        for column, value in limits_of(results).items()
        if value is None
    }


def _as_steps(ranks: Sequence[RankOutput]) -> Steps:
    """All ranks' steps of one launch, as the analysis takes them."""
    columns = {name: np.concatenate([rank.arrays[name] for rank in ranks]) for name in ranks[0].arrays}
    numbers = np.concatenate([np.full(len(rank.arrays["step"]), rank.rank, dtype=np.int64) for rank in ranks])
    return Steps(**{**columns, "rank": numbers, "in_window": columns["in_window"].astype(bool)})
