"""What a launch left in its folder, as rows of the store. Reads files; measures nothing."""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from bench.analysis.statistics.steady import Steps, launch_rate
from bench.outcome import limits
from bench.outcome.reasons import (
    LOOKED_INTO,
    about_checks,
    about_hosts,
    about_patience,
    why_no_energy,
    why_not_found,
    why_null,
)
from bench.outcome.source import about_source, source_of
from bench.plan import Plan, PlannedLaunch
from bench.store import schema, step_table
from bench.worker import job
from bench.worker.job import RankResult
from launchers import Ending, heartbeat

N = TypeVar("N", int, float)


@dataclass(frozen=True, kw_only=True)
class RankOutcome:
    """What one rank left: its own words, and its steps when it got that far."""

    rank: int
    folder: Path
    told: Mapping[str, Any]  # empty when it said nothing
    arrays: Mapping[str, np.ndarray]  # int64 columns of its steps; empty when it timed none

    def forget(self) -> None:
        """Remove what the store now holds; logs stay."""
        for file in (job.steps_file(self.folder, self.rank), heartbeat.path(self.folder, self.rank)):
            file.unlink(missing_ok=True)


def read_ranks(folder: Path, processes: int) -> list[RankOutcome]:
    """What every rank of a launch left in its folder."""
    ranks = []
    for rank in range(processes):
        arrays: dict[str, np.ndarray] = {}
        file = job.steps_file(folder, rank)
        # A rank that died while it wrote, on a full disk or not, leaves a part: it has timed nothing that can be told.
        with suppress(FileNotFoundError, EOFError, ValueError, zipfile.BadZipFile), np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        ranks.append(RankOutcome(rank=rank, folder=folder, told=job.read_result(folder, rank) or {}, arrays=arrays))
    return ranks


def launch_of(
    plan: Plan,
    planned: PlannedLaunch,
    ending: Ending,
    ranks: Sequence[RankOutcome],
    *,
    attempt: int = 0,
    started_at: str,
    started_ns: int,
    load_before: float,
    others_share: float | None = None,
    ids: tuple[str | None, str | None, str | None],
    warnings: tuple[str, ...] = (),
) -> schema.Launch:
    """The launch's row: the plan's part always, the measured part only when every rank ended well.

    Args:
        plan: of the study.
        planned: this launch's place in it.
        ending: what the launcher says.
        ranks: what the ranks left.
        attempt: which try of this launch it is, from 0.
        started_at: UTC, ISO 8601.
        started_ns: the monotonic clock then.
        load_before: the host's load average then.
        others_share: share of the ranks' cores that other programs used while it ran; None: not seen.
        ids: of the hardware, the software and the numeric behaviour.
        warnings: of its host.
    """
    configuration, workload = planned.configuration, plan.workload_of(planned)
    hw_id, sw_id, num_id = ids
    launch = schema.Launch(
        study_id=plan.study_id,
        launch_id=planned.launch_id,
        model=workload.model,
        data=workload.data,
        precision=workload.precision,
        memory_format=workload.memory_format,
        scaling=plan.scaling,
        seed=workload.seed,
        configuration=configuration.key,
        strategy=configuration.strategy,
        device=configuration.device,
        backend=configuration.backend,
        ddp=configuration.ddp or None,
        ranks=configuration.ranks,
        nodes=configuration.nodes,
        cores_per_rank=configuration.cores_per_rank,
        batch_per_rank=configuration.batch_per_rank,
        batch_global=configuration.batch_global,
        round=planned.round,
        position=planned.position,
        attempt=attempt,
        launcher=plan.launcher,
        status=ending.status,
        reason=ending.reason,
        failed_rank=ending.failed_rank,
        warnings=warnings,
        started_at=started_at,
        total_s=ending.duration_s,
        supervisor_cpu=_share(ending.supervisor_cpu_s, ending.duration_s),
        load_before=load_before,
        others_share=others_share,
        hw_id=hw_id,
        sw_id=sw_id,
        num_id=num_id,
    )
    why = dict(energy_j=f"the launch ended as {ending.status}")
    if ending.status == schema.OK:
        told = [RankResult.from_json(rank.told) for rank in ranks]
        launch, why = _measured(launch, told, ranks, started_ns), dict(energy_j=why_no_energy(told))
        said = (*launch.warnings, *about_patience(workload, told[0]), *about_source(told))
        launch = replace(launch, warnings=said, source=source_of(told, workload.model))
        why |= why_not_found(told) | limits.why_null(told)
    gaps = {name: reason for name, reason in (why_null(launch) | why).items() if getattr(launch, name) is None}
    return replace(launch, unavailable=schema.unavailable(**gaps))


def _share(part_s: float | None, whole_s: float) -> float | None:
    return None if part_s is None or not whole_s else part_s / whole_s


def _energy_j(told: Sequence[RankResult]) -> float | None:
    """Of all ranks; None when one that should have read a counter could not, since a part is not the whole."""
    read = [each.energy_j for each in told if each.energy_j is not None]
    return sum(read) if read and all(each.energy_gap is None for each in told) else None


def _changed(told: Sequence[RankResult]) -> dict[str, list[Any]]:
    """What changed in any rank; of values that differ by rank, all."""
    changed: dict[str, list[Any]] = {}
    for name, values in (pair for each in told for pair in each.changed.items()):
        seen = changed.setdefault(name, [])
        seen += [value for value in values if value not in seen]
    return changed


def _measured(
    launch: schema.Launch, told: Sequence[RankResult], ranks: Sequence[RankOutcome], started_ns: int
) -> schema.Launch:
    first, steps = told[0], as_steps(ranks)
    kept, own = steps.in_window, steps.rank == 0
    launch = replace(
        launch,
        world_size=first.world_size,
        distinct_devices=first.distinct_devices,
        device_names=tuple(each.device_name for each in told),
        threads_per_rank=max(each.threads for each in told),
        cores=tuple(each.cores for each in told if each.cores is not None),
        changed=json.dumps(_changed(told)),
        startup_s=(max(each.first_step_monotonic_ns for each in told) - started_ns) / 1e9,
        warmup_steps=int(steps.steps[own & ~kept].sum()),
        window_steps=int(steps.steps[own & kept].sum()),
        closure_error=max((each.closure_error for each in told if each.closure_error is not None), default=None),
        clock_ns_per_step=_of_all(each.clock_ns_per_step for each in told),
        compute_step_ns=_of_all(each.compute_step_ns for each in told),
        resumed_epoch=first.resumed_epoch,
        resumed_step=first.resumed_step,
        checkpoint_s=max((each.checkpoint_s for each in told if each.checkpoint_s is not None), default=None),
        anatomy=first.anatomy,
        data_hash=first.data_hash,
        data_account=first.data_account,
        params=first.params,
        flop_per_sample=first.flop_per_sample,
        epoch_samples=first.epoch_samples,
        loss_first=first.loss_first,
        loss_last=first.loss_last,
        loss_finite=all(each.losses_finite for each in told),
        weights_moved=all(each.weights_moved for each in told),
        weights_equal=first.weights_equal,
        gradient_error=first.gradient_error,
        gradient_cause=first.gradient_cause,
        peak_memory_bytes=max((each.peak_memory_bytes for each in told if each.peak_memory_bytes), default=None),
        energy_j=_energy_j(told),
        **limits.columns(told),
        worker_cpu_s=sum(each.window_cpu_s for each in told),
        involuntary_switches=sum(each.window_switches for each in told),
        collection_s=max((each.collection_s for each in told if each.collection_s is not None), default=None),
        warnings=(
            *launch.warnings,
            *[LOOKED_INTO] * first.anatomy,
            *first.warnings,
            *about_checks(told),
            *about_hosts(told, launch.nodes),
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


def _of_all(values: Iterable[N | None]) -> N | None:
    """The largest; None when a rank has none, since the slowest is meant and might be that one."""
    told = list(values)
    known = [each for each in told if each is not None]
    return max(known) if len(known) == len(told) else None


def as_steps(ranks: Sequence[RankOutcome]) -> Steps:
    """All ranks' steps of one launch, as the analysis takes them."""
    columns = {name: np.concatenate([rank.arrays[name] for rank in ranks]) for name in ranks[0].arrays}
    numbers = np.concatenate([np.full(len(rank.arrays["step"]), rank.rank, dtype=np.int64) for rank in ranks])
    return Steps(**{**columns, "rank": numbers, "in_window": columns["in_window"].astype(bool)})


def steps_of(launch: schema.Launch, ranks: Sequence[RankOutcome]) -> pa.Table | None:
    """The launch's step table; None when some rank timed no step."""
    if not all(rank.arrays for rank in ranks):
        return None
    return step_table.of_ranks(launch.study_id, launch.launch_id, [rank.arrays for rank in ranks])


def epochs_of(
    launch: schema.Launch, ranks: Sequence[RankOutcome]
) -> tuple[list[schema.Epoch], list[schema.ClassScore]]:
    """The epochs that rank 0 evaluated, and the class scores of each; none of a launch that failed."""
    if launch.status != schema.OK:
        return [], []
    study_id, launch_id = launch.study_id, launch.launch_id
    told = RankResult.from_json(ranks[0].told).epochs
    warm_s = {each.epoch: _warm_s(each, ranks) for each in told}
    epochs = [
        schema.Epoch(
            study_id=study_id,
            launch_id=launch_id,
            **{name: value for name, value in vars(each).items() if name != "classes"},
            warm_s=since,
            cold_s=None if since is None or launch.startup_s is None else launch.startup_s + since,
        )
        for each in told
        for since in [warm_s[each.epoch]]
    ]
    classes = [
        schema.ClassScore(
            study_id=study_id,
            launch_id=launch_id,
            epoch=each.epoch,
            **vars(score),
        )
        for each in told
        for score in each.classes
    ]
    return epochs, classes


def _warm_s(epoch: job.EpochResult, ranks: Sequence[RankOutcome]) -> float | None:
    """Seconds from the launch's first step until this epoch was evaluated: its last step's end, and the evaluation."""
    ends = [
        int((rank.arrays["start_ns"] + rank.arrays["step_ns"])[rank.arrays["epoch"] == epoch.epoch].max())
        for rank in ranks
        if rank.arrays and (rank.arrays["epoch"] == epoch.epoch).any()
    ]
    return max(ends) / 1e9 + epoch.evaluate_s if ends else None


def layers_of(launch: schema.Launch, ranks: Sequence[RankOutcome]) -> list[schema.Layer]:
    """The layers that rank 0 looked into; none of a launch that failed."""
    if launch.status != schema.OK:
        return []
    told = RankResult.from_json(ranks[0].told).layers
    return [schema.Layer(study_id=launch.study_id, launch_id=launch.launch_id, **vars(each)) for each in told]
