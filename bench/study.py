"""Runs a plan through a launcher, commits each launch as it ends, and reads a study back as findings."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import launchers
import profiles
from bench.analysis import result
from bench.dna.fingerprint import Fingerprint
from bench.dna.machine import Machine
from bench.errors import BenchError, UsageError
from bench.outcome import RankOutcome, epochs_of, launch_of, read_ranks, steps_of
from bench.plan import Plan, PlannedLaunch
from bench.planning import cores_of
from bench.store import index, read, schema
from bench.store.commit import Store
from bench.store.layout import Layout
from bench.worker.job import Job
from launchers.heartbeat import Beat

_MINIMUM_STEPS, _MINIMUM_STEPS_QUICK = 20, 10


@dataclass(frozen=True, kw_only=True)
class Host:
    """Where and by what launches are started."""

    launcher: launchers.Launcher
    machine: Machine
    fingerprint: Fingerprint


class Watcher(Protocol):
    """Who is told of everything that happens while a plan runs; see `reports.progress`."""

    def started(self, plan: Plan) -> None: ...
    def launch_started(self, planned: PlannedLaunch, index: int, total: int) -> None: ...
    def beats(self, beats: Sequence[Beat], /) -> None: ...
    def launch_ended(self, launch: schema.Launch) -> None: ...
    def finished(self) -> None: ...


def run(plan: Plan, store: Store, host: Host, watcher: Watcher) -> None:
    """Run every launch of the plan that the store does not hold yet; each is committed as it ends.

    A round is not begun when, at the pace so far, it would end after the plan's budget: rounds stay complete, and the
    rule looks at the clock only, never at a result.

    Raises:
        BenchError: the workload itself cannot run (no such callable, torn data, …); it would fail in every launch.
    """
    began = time.monotonic()
    done = {marker.launch_id for marker in index.markers(store.path, plan.study_id)}
    watcher.started(plan)
    for number, planned in enumerate(plan.launches):
        if planned.launch_id in done:
            continue
        if planned.position == 0 and planned.round > 0 and plan.budget_s is not None:
            spent_s = time.monotonic() - began
            if spent_s + spent_s / planned.round > plan.budget_s:
                break
        watcher.launch_started(planned, number, len(plan.launches))
        watcher.launch_ended(_one(plan, planned, store, host, watcher))
    watcher.finished()


def command_of(plan: Plan, planned: PlannedLaunch, folder: Path, host: Host) -> launchers.Command:
    """What one launch starts; printed by `--dry-run` as it is."""
    configuration = planned.configuration
    # Numbered as the driver's own tools number them, so that a device means the same in every table.
    settings = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if configuration.cores_per_rank is not None:
        settings |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(configuration.cores_per_rank))
    return launchers.Command(
        # -P: a folder of the user's own called `reports` or `profiles` is never picked up.
        argv=(sys.executable, "-P", "-m", "bench.worker"),
        ranks=configuration.processes,
        nodes=configuration.nodes,
        folder=folder,
        environment=settings,
        cores=cores_of(configuration, host.machine),
        cores_per_rank=configuration.cores_per_rank,
        timeout_s=plan.timeout_s,
        stall_s=plan.stall_s,
    )


def commands(plan: Plan, host: Host, store: Path) -> list[launchers.Command]:
    """What every launch of the plan would start, in order; starts nothing."""
    logs = Layout(store).logs(plan.study_id)
    return [command_of(plan, each, logs / each.launch_id, host) for each in plan.launches]


def unfinished(store: Store, asked: Plan) -> Plan:
    """The newest study of the store that is this plan but for its id, its time and its order, and that lacks launches.

    Raises:
        UsageError: there is none.
    """
    for study_id in index.studies(store.path):
        found = index.plan(store.path, study_id)
        same = replace(
            found,
            study_id=asked.study_id,
            created_at=asked.created_at,
            command=asked.command,
            launches=asked.launches,
            order_seed=asked.order_seed,
            origins=asked.origins,
            settings=asked.settings,
        )
        if same == asked and len(read.launches(store.path, study_id)) < len(found.launches):
            return found
    raise UsageError(
        "there is no unfinished study of this plan to resume",
        f"{store.path} holds: bench ls; without --resume a new one begins",
    )


def _one(plan: Plan, planned: PlannedLaunch, store: Store, host: Host, watcher: Watcher) -> schema.Launch:
    """Run one launch, and commit it whatever became of it."""
    folder = store.logs(plan.study_id) / planned.launch_id
    if folder.exists():  # an interrupted attempt of this launch: its logs stay, beside the new ones
        folder.rename(folder.with_name(f"{folder.name}.interrupted-{time.time_ns()}"))
    folder.mkdir(parents=True)
    Job(
        launch_id=planned.launch_id,
        workload=plan.workload,
        configuration=planned.configuration,
        oversubscribed=plan.oversubscribed,
        stall_s=plan.stall_s,
        minimum_steps=_MINIMUM_STEPS_QUICK if plan.quick else _MINIMUM_STEPS,
    ).write(folder)
    load_before = os.getloadavg()[0]
    started_at, started_ns = datetime.now(UTC), time.monotonic_ns()
    ending = host.launcher.launch(command_of(plan, planned, folder, host), watcher.beats)
    ranks = read_ranks(folder, planned.configuration.processes)
    _refuse_hopeless(ranks)
    launch = launch_of(
        plan,
        planned,
        ending,
        ranks,
        started_at=started_at.isoformat(timespec="seconds"),
        started_ns=started_ns,
        load_before=load_before,
        ids=(host.fingerprint.hw_id, host.fingerprint.sw_id, host.fingerprint.num_id),
    )
    epochs, classes = epochs_of(launch, ranks)
    store.commit(
        launch, steps_of(launch, ranks), epochs, classes, host.fingerprint.row(plan.study_id, planned.launch_id)
    )
    for rank in ranks:
        rank.forget()
    return launch


def _refuse_hopeless(ranks: list[RankOutcome]) -> None:
    """Stop the study where a rank says that the workload itself cannot be had: the next launch would say the same."""
    for rank in ranks:
        if rank.told.get("status") == "refused":
            raise BenchError(rank.told["reason"], hint=rank.told.get("hint") or "", code=rank.told["exit_code"])


def analysed(store: Path, study_id: str) -> result.Study:
    """A committed study as findings: what every report tells."""
    from bench.analysis import scaling  # noqa: PLC0415 - scipy takes seconds, and the study's window must not wait
    from bench.analysis.steady import Steps  # noqa: PLC0415

    plan = index.plan(store, study_id)
    damaged: list[index.Damage] = []
    found = scaling.analyse(
        plan,
        read.launches(store, study_id, damaged),
        {name: Steps.from_columns(columns) for name, columns in read.steps(store, study_id, damaged).items()},
        read.epochs(store, study_id, damaged),
        peaks=profiles.hardware_peaks(),
    )
    lost = tuple(f"{each}: its numbers are left out" for each in dict.fromkeys(map(str, damaged)))
    return replace(found, warnings=(*lost, *found.warnings))
