"""What the ranks of a launch measured, as columns of its row: of what each says, how it becomes one value."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.analysis.statistics.steady import launch_rate
from bench.outcome import limits
from bench.outcome.ranks import RankOutput, as_steps
from bench.outcome.reasons import LOOKED_INTO, about_checks, about_hosts
from bench.store import schema
from bench.worker.job import RankResult


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


def measured(launch: schema.Launch, ranks: Sequence[RankOutput], started_ns: int) -> schema.Launch:
    """The row of a launch whose ranks all ended well, with what they measured.

    Args:
        launch: the row so far.
        ranks: what they left.
        started_ns: the supervisor's monotonic clock when it started them.
    """
    results, steps = [rank.result for rank in ranks], as_steps(ranks)
    kept, own = steps.in_window, steps.rank == 0
    launch = replace(
        launch,
        **{name: together([getattr(each, name) for each in results]) for name, together in _TOGETHER.items()},
        **limits.columns(results),
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
