"""What a launch left in its folder, as rows of the store. Reads files; measures nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.analysis.steady import Steps, launch_rate
from bench.plan import Plan, PlannedLaunch
from bench.store import schema
from bench.worker import job
from launchers import Ending, heartbeat


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
        if file.exists():
            with np.load(file) as stored:
                arrays = {name: stored[name] for name in stored.files}
        ranks.append(RankOutcome(rank=rank, folder=folder, told=job.read_result(folder, rank) or {}, arrays=arrays))
    return ranks


def launch_of(
    plan: Plan,
    planned: PlannedLaunch,
    ending: Ending,
    ranks: Sequence[RankOutcome],
    *,
    started_at: str,
    started_ns: int,
    load_before: float,
    ids: tuple[str | None, str | None, str | None],
) -> schema.Launch:
    """The launch's row: the plan's part always, the measured part only when every rank ended well."""
    configuration, workload = planned.configuration, plan.workload
    hw_id, sw_id, num_id = ids
    measured = _measured(ranks, started_ns) if ending.status == schema.OK else {}
    unavailable = {"energy_j": "energy is not read by this version", **measured.pop("unavailable", {})}
    if num_id is None:
        unavailable["num_id"] = "numeric canaries are not part of this version"
    if ending.status != schema.OK:
        unavailable["throughput_sps"] = f"the launch ended as {ending.status}"
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
        strategy=configuration.strategy,
        device=configuration.device,
        backend=configuration.backend,
        ranks=configuration.ranks,
        cores_per_rank=configuration.cores_per_rank,
        batch_per_rank=configuration.batch_per_rank,
        batch_global=configuration.batch_global,
        round=planned.round,
        position=planned.position,
        status=ending.status,
        reason=ending.reason,
        failed_rank=ending.failed_rank,
        started_at=started_at,
        total_s=ending.duration_s,
        supervisor_cpu=ending.supervisor_cpu_s / ending.duration_s if ending.duration_s else None,
        load_before=load_before,
        hw_id=hw_id,
        sw_id=sw_id,
        num_id=num_id,
        unavailable=json.dumps(unavailable, sort_keys=True),
        **measured,
    )


def _measured(ranks: Sequence[RankOutcome], started_ns: int) -> dict[str, Any]:
    told = [rank.told for rank in ranks]
    steps = as_steps(ranks)
    kept = steps.in_window
    first = steps.rank == 0
    rate = launch_rate(steps, cut=0) if kept.any() else None
    unavailable = {"flop_per_sample": "counted for accelerators only: no peak to hold it against"}
    if rate is None:
        unavailable["throughput_sps"] = "the warm-up took every step; train for longer"
    if not all(each["losses_finite"] for each in told):
        unavailable["loss_last"] = "not finite"
    if len(told) == 1:
        unavailable["weights_equal"] = "one process has nobody to agree with"
    if told[0]["epoch_samples"] is None:
        unavailable["epoch_samples"] = "synthetic data has no epoch"
    return {
        "world_size": told[0]["world_size"],
        "distinct_devices": told[0]["distinct_devices"],
        "device_names": tuple(each["device_name"] for each in told),
        "threads_per_rank": max(each["threads"] for each in told),
        "startup_s": max(each["first_step_monotonic_ns"] - started_ns for each in told) / 1e9,
        "warmup_steps": int(steps.steps[first & ~kept].sum()),
        "window_steps": int(steps.steps[first & kept].sum()),
        "window_samples": rate.samples if rate else None,
        "window_ns": rate.wall_ns if rate else None,
        "throughput_sps": rate.throughput_sps if rate else None,
        "closure_error": max(
            (each["closure_error"] for each in told if each["closure_error"] is not None), default=None
        ),
        "clock_ns_per_step": max(each["clock_ns_per_step"] for each in told),
        "data_wait": float(steps.data_wait_ns[kept].sum() / steps.step_ns[kept].sum()) if rate else None,
        "params": told[0]["params"],
        "epoch_samples": told[0]["epoch_samples"],
        "loss_first": told[0]["loss_first"],
        "loss_last": told[0]["loss_last"],
        "loss_finite": all(each["losses_finite"] for each in told),
        "weights_moved": all(each["weights_moved"] for each in told),
        "weights_equal": told[0]["weights_equal"],
        "peak_memory_bytes": max(
            (each["peak_memory_bytes"] for each in told if each["peak_memory_bytes"]), default=None
        ),
        "worker_cpu_s": sum(each["window_cpu_s"] for each in told),
        "involuntary_switches": sum(each["window_switches"] for each in told),
        "unavailable": unavailable,
    }


def as_steps(ranks: Sequence[RankOutcome]) -> Steps:
    """All ranks' steps of one launch, as the analysis takes them."""
    columns = {name: np.concatenate([rank.arrays[name] for rank in ranks]) for name in ranks[0].arrays}
    numbers = np.concatenate([np.full(len(rank.arrays["step"]), rank.rank, dtype=np.int64) for rank in ranks])
    return Steps(**{**columns, "rank": numbers, "in_window": columns["in_window"].astype(bool)})


def steps_of(launch: schema.Launch, ranks: Sequence[RankOutcome]) -> pa.Table | None:
    """The launch's step table; None when no rank timed a step."""
    if not all(rank.arrays for rank in ranks):
        return None
    return schema.step_table(launch.study_id, launch.launch_id, [rank.arrays for rank in ranks])


def epochs_of(
    launch: schema.Launch, ranks: Sequence[RankOutcome]
) -> tuple[list[schema.Epoch], list[schema.ClassScore]]:
    """The epochs that rank 0 evaluated, and the class scores of each."""
    told = ranks[0].told.get("epochs", []) if launch.status == schema.OK else []
    ids = {"study_id": launch.study_id, "launch_id": launch.launch_id}
    epochs = [schema.Epoch(**ids, **{k: v for k, v in each.items() if k != "classes"}) for each in told]
    classes = [
        schema.ClassScore(**ids, epoch=each["epoch"], **{**score, "confusion": tuple(score["confusion"])})
        for each in told
        for score in each["classes"]
    ]
    return epochs, classes
