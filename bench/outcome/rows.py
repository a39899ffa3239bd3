"""The rows of a launch: its own, from its plan, its supervisor and its ranks; and those of the other tables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from bench.outcome.measured import RankOutput, measured, why_no_limits
from bench.outcome.reasons import about_patience, why_no_energy, why_not_found, why_null
from bench.outcome.source import about_source, source_of
from bench.plan import Plan, PlannedLaunch
from bench.store import schema
from bench.store.schema import LaunchRows
from bench.worker.job import EpochResult
from launchers import LaunchEnd


@dataclass(frozen=True, kw_only=True)
class Supervised:
    """What whoever ran a launch saw of it."""

    end: LaunchEnd
    attempt: int = 0  # which try of this launch it is
    started_at: str  # UTC, ISO 8601
    started_ns: int  # the monotonic clock then
    load_before: float  # the host's load average then
    others_share: float | None = None  # of the ranks' cores, by other programs while it ran; None: not seen
    warnings: tuple[str, ...] = ()  # of its host
    dna: schema.Dna  # of its host


def rows_of(plan: Plan, planned: PlannedLaunch, seen: Supervised, ranks: Sequence[RankOutput]) -> LaunchRows:
    """All rows of a launch: the plan's part always, the measured part only when every rank ended well."""
    end, dna = seen.end, seen.dna
    launch = _planned(
        plan,
        planned,
        attempt=seen.attempt,
        status=end.status,
        reason=end.reason,
        failed_rank=end.failed_rank,
        warnings=seen.warnings,
        started_at=seen.started_at,
        total_s=end.duration_s,
        supervisor_cpu=_share(end.supervisor_cpu_s, end.duration_s),
        load_before=seen.load_before,
        others_share=seen.others_share,
        hw_id=dna.hw_id,
        sw_id=dna.sw_id,
        num_id=dna.num_id,
    )
    if end.status != schema.OK:
        return beside(_explained(launch, energy_j=f"the launch ended as {end.status}"), ranks, dna)
    results, workload = [rank.result for rank in ranks], plan.workload_of(planned)
    launch = measured(launch, ranks, seen.started_ns)
    said = (*launch.warnings, *about_patience(workload, results[0]), *about_source(results))
    launch = replace(launch, warnings=said, source=source_of(results, workload.model))
    why = dict(energy_j=why_no_energy(results)) | why_not_found(results) | why_no_limits(results)
    return beside(_explained(launch, **why), ranks, dna)


def lost(plan: Plan, planned: PlannedLaunch, attempt: int, started_at: str, reason: str) -> LaunchRows:
    """The row of an attempt whose end nobody saw: the plan's part, and why there is no more.

    Nobody measured anything of it, and a zero would say that somebody did.
    """
    launch = _planned(plan, planned, attempt=attempt, started_at=started_at, status="lost", reason=reason)
    return LaunchRows(launch=_explained(launch, energy_j="the launch ended as lost"))


def beside(launch: schema.Launch, ranks: Sequence[RankOutput], dna: schema.Dna | None) -> LaunchRows:
    """A launch's row with those of the other tables, which its ranks left: epochs and layers only if it ended well."""
    rank0 = ranks[0].result if launch.status == schema.OK else None
    epochs = rank0.epochs if rank0 is not None else ()
    return LaunchRows(
        launch=launch,
        steps=_steps(launch, ranks),
        epochs=[_epoch(launch, each, ranks) for each in epochs],
        classes=[
            schema.row_of(schema.ClassScore, launch, score, epoch=each.epoch)
            for each in epochs
            for score in each.classes
        ],
        layers=[schema.row_of(schema.Layer, launch, each) for each in (rank0.layers if rank0 is not None else ())],
        dna=dna,
    )


def _planned(plan: Plan, planned: PlannedLaunch, **seen: Any) -> schema.Launch:
    """The row with its plan's part, and what else was seen."""
    configuration, workload = planned.configuration, plan.workload_of(planned)
    of_configuration = {**vars(configuration), "ddp": configuration.ddp or None}  # each of its fields is a column
    return schema.Launch(
        study_id=plan.study_id,
        launch_id=planned.launch_id,
        model=workload.model,
        data=workload.data,
        precision=workload.precision,
        memory_format=workload.memory_format,
        scaling=plan.scaling,
        seed=workload.seed,
        configuration=configuration.key,
        **of_configuration,
        round=planned.round,
        position=planned.position,
        launcher=plan.launcher,
        **seen,
    )


def _share(part_s: float | None, whole_s: float) -> float | None:
    return None if part_s is None or not whole_s else part_s / whole_s


def _explained(launch: schema.Launch, **why: str) -> schema.Launch:
    """The row with a reason for each column that is null and need not be."""
    gaps = {name: reason for name, reason in (why_null(launch) | why).items() if getattr(launch, name) is None}
    return replace(launch, unavailable=schema.unavailable(**gaps))


def _steps(launch: schema.Launch, ranks: Sequence[RankOutput]) -> pa.Table | None:
    """None when some rank timed no step."""
    if not all(rank.arrays for rank in ranks):
        return None
    return schema.steps_of_ranks(launch.study_id, launch.launch_id, [rank.arrays for rank in ranks])


def _epoch(launch: schema.Launch, epoch: EpochResult, ranks: Sequence[RankOutput]) -> schema.Epoch:
    warm_s = _warm_s(epoch, ranks)
    cold_s = None if warm_s is None or launch.startup_s is None else launch.startup_s + warm_s
    return schema.row_of(schema.Epoch, launch, epoch, cold_s=cold_s, warm_s=warm_s)


def _warm_s(epoch: EpochResult, ranks: Sequence[RankOutput]) -> float | None:
    """Seconds from the launch's first step until this epoch was evaluated: its last step's end, and the evaluation."""
    ends = [
        int((rank.arrays["start_ns"] + rank.arrays["step_ns"])[rank.arrays["epoch"] == epoch.epoch].max())
        for rank in ranks
        if rank.arrays and (rank.arrays["epoch"] == epoch.epoch).any()
    ]
    return max(ends) / 1e9 + epoch.evaluate_s if ends else None
