"""Runs a plan through a launcher, commits each launch as it ends, and reads a study back as findings."""

import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import launchers
import profiles
from bench import health, recovery
from bench.analysis import result
from bench.dna.fingerprint import Fingerprint
from bench.dna.machine import Machine
from bench.errors import BenchError, CannotError
from bench.outcome.measured import RankOutput, read_ranks
from bench.outcome.rows import Supervised, rows_of
from bench.plan import Plan, PlannedLaunch
from bench.planning import cores_of
from bench.store import attempts, index, packing, read, schema
from bench.store.commit import Store
from bench.store.layout import Layout
from bench.store.owner import Owner
from bench.worker.job import Job
from launchers import LaunchEnd, flight_recorder, module_argv
from launchers.environment import asked_for
from launchers.heartbeat import Beat

if TYPE_CHECKING:
    from bench.analysis.study_report import Stored

_MINIMUM_STEPS, _MINIMUM_STEPS_QUICK = 20, 10


@dataclass(frozen=True, kw_only=True)
class Host:
    """Where and by what launches are started."""

    launcher: launchers.Launcher
    machine: Machine
    fingerprint: Fingerprint
    warnings: tuple[str, ...] = ()  # of this host, that hold for every launch
    shares_gpus: bool = False  # others on a card, and what they hold of it, are no reason to stop


class Watcher(Protocol):
    """Who is told of everything that happens while a plan runs; see `reports.running.progress`."""

    def started(self, plan: Plan) -> None: ...
    def launch_started(self, planned: PlannedLaunch, index: int, total: int) -> None: ...
    def beats(self, beats: Sequence[Beat], /) -> None: ...
    def launch_ended(self, launch: schema.Launch, log_tail: str = "") -> None: ...
    def finished(self) -> None: ...


def run(plan: Plan, store: Store, host: Host, watcher: Watcher, draining: Callable[[], bool] = lambda: False) -> None:
    """Run every launch of the plan that has no result in the store yet; each is committed as it ends.

    A round is not begun when, at the pace so far, it would end after the plan's budget: rounds stay complete, and the
    rule looks at the clock only, never at a result.

    Args:
        plan: what to run.
        store: holds the study already.
        host: what starts launches.
        watcher: told of everything.
        draining: asked before each launch; once it says so, no more are begun.

    Raises:
        BenchError: the workload itself cannot run (no such callable, torn data, …), which it would say in every
            launch; somebody else runs this study; or the machine is no longer fit for the next launch.
    """
    store.try_out(plan.study_id)
    with attempts.held(store.path, plan.study_id, Owner.of_this_process().token, attempts.LEASE_S):
        _launches(plan, store, host, watcher, draining)
    packing.pack(store, plan.study_id)


def _launches(plan: Plan, store: Store, host: Host, watcher: Watcher, draining: Callable[[], bool]) -> None:
    began = time.monotonic()
    to_do = {each.launch_id for each in index.unsettled(store.path, plan)}
    watcher.started(plan)
    cards = () if host.shares_gpus else health.cards(plan, host.machine)
    memory = health.GpuMemory.before(())
    for number, planned in enumerate(plan.launches):
        if planned.launch_id not in to_do:
            continue
        if draining():
            break
        if planned.position == 0 and planned.round > 0 and plan.budget_s is not None:
            spent_s = time.monotonic() - began
            if spent_s + spent_s / planned.round > plan.budget_s:
                break
        health.refuse(health.postflight(memory))  # before the next launch: after the last one nothing is at stake
        watcher.launch_started(planned, number, len(plan.launches))
        memory = health.GpuMemory.before(cards)
        try:
            launch, log_tail = _one(plan, planned, store, host, watcher)
        except attempts.SettledError:  # another host was faster, or came back with it
            continue
        watcher.launch_ended(launch, log_tail)
    watcher.finished()


def command_of(plan: Plan, planned: PlannedLaunch, folder: Path, host: Host) -> launchers.Command:
    """What one launch starts; printed by `--dry-run` as it is."""
    configuration = planned.configuration
    settings = asked_for()  # by value: another host has no such variables
    if configuration.backend == "nccl":
        settings |= flight_recorder.WANTED
    if configuration.cores_per_rank is not None:
        settings |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(configuration.cores_per_rank))
    return launchers.Command(
        argv=module_argv("bench.worker"),
        ranks=configuration.processes,
        nodes=configuration.nodes,
        folder=folder,
        environment=settings,
        cores=cores_of(configuration, host.machine),
        cores_per_rank=configuration.cores_per_rank,
        cores_shared=plan.oversubscribed,
        timeout_s=plan.timeout_s,
        stall_s=plan.stall_s,
    )


def commands(plan: Plan, host: Host, store: Path) -> list[launchers.Command]:
    """What every launch of the plan would start, in order; starts nothing."""
    layout = Layout(store)
    folders = [layout.folder(plan.study_id, each.launch_id, 0) for each in plan.launches]
    return [command_of(plan, each, folder, host) for each, folder in zip(plan.launches, folders, strict=True)]


def _one(plan: Plan, planned: PlannedLaunch, store: Store, host: Host, watcher: Watcher) -> tuple[schema.Launch, str]:
    """Run one launch, and commit it whatever became of it; returns its row, and the guilty rank's last lines."""
    attempt, folder = _begin(plan, planned, store, host)
    seen, ranks, refused = _run(plan, planned, host, watcher, attempt=attempt, folder=folder)
    rows = rows_of(plan, planned, seen, ranks)
    recovery.keep(folder, rows)
    launch, remark = store.commit_late(plan, rows)
    if remark is not None:
        warnings.warn(index.StoreWarning(remark), stacklevel=2)
    if remark is None or launch.attempt != attempt:
        for rank in ranks:
            rank.forget()
    if refused is not None:
        raise refused
    return launch, seen.end.log_tail


def _begin(plan: Plan, planned: PlannedLaunch, store: Store, host: Host) -> tuple[int, Path]:
    """Write down that a launch begins, and what its ranks have to do; returns which attempt it is, and its folder."""
    again = index.run_again(plan)
    attempt = attempts.begin(store, plan.study_id, planned.launch_id, again=again, lease_s=attempts.LEASE_S).attempt
    folder = Layout(store.path).folder(plan.study_id, planned.launch_id, attempt)
    folder.mkdir(parents=True, exist_ok=True)
    recovery.reserve(folder)
    kept = _checkpoints(plan, planned, store, attempt)
    Job(
        launch_id=planned.launch_id,
        workload=plan.workload_of(planned),
        configuration=planned.configuration,
        oversubscribed=plan.oversubscribed,
        stall_s=plan.stall_s,
        minimum_steps=_MINIMUM_STEPS_QUICK if plan.quick else _MINIMUM_STEPS,
        keep=plan.keep,
        checkpoints=str(kept.resolve()) if kept is not None else None,
        pictures=str((folder / "anatomy").resolve()) if plan.keep.anatomy is not None else None,
        has_ceilings=host.fingerprint.measured is not None,
    ).write(folder)
    return attempt, folder


def _run(
    plan: Plan, planned: PlannedLaunch, host: Host, watcher: Watcher, *, attempt: int, folder: Path
) -> tuple[Supervised, list[RankOutput], BaseException | None]:
    """Run a launch to its end: what was seen of it, what its ranks left, and what is to be raised once that is safe."""
    load_before, looked = os.getloadavg()[0], _looked(plan, planned, host)
    started_at, started_ns = datetime.now(UTC), time.monotonic_ns()
    command = command_of(plan, planned, folder, host)
    refused: BaseException | None = None
    try:
        end = host.launcher.launch(command, watcher.beats)
    except BaseException as error:  # noqa: BLE001 - however it is ended, it has begun and needs its one end
        refused, end = error, _cancelled(command, error, started_ns)
    others_share = health.host.others(looked, _looked(plan, planned, host))
    ranks = read_ranks(folder, planned.configuration.processes)
    if hopeless := _hopeless(ranks):
        refused, end = hopeless, replace(end, status="cancelled", reason=hopeless.message, failed_rank=None)
    seen = Supervised(
        end=end,
        attempt=attempt,
        started_at=started_at.isoformat(timespec="seconds"),
        started_ns=started_ns,
        load_before=load_before,
        others_share=others_share,
        warnings=host.warnings,
        dna=host.fingerprint.row(plan.study_id, planned.launch_id),
    )
    return seen, ranks, refused


def _looked(plan: Plan, planned: PlannedLaunch, host: Host) -> health.host.CpuTimes | None:
    """What was used so far of the launch's cores; None where its ranks are not of this process, as Slurm's."""
    blocks = cores_of(planned.configuration, host.machine)
    cores = {core for block in blocks for core in block} if blocks else host.machine.cpu_ids
    return health.host.cpu_times(cores) if plan.launcher != "slurm" else None


def _checkpoints(plan: Plan, planned: PlannedLaunch, store: Store, attempt: int) -> Path | None:
    """The folder of this attempt's checkpoints, with those of the attempts before it; None when none are kept."""
    if not plan.keep.checkpoint:
        return None
    try:
        return attempts.resumed_checkpoints(Layout(store.path), plan.study_id, planned.launch_id, attempt)
    except OSError as error:
        raise CannotError(
            f"no checkpoints of launch {planned.launch_id} can be kept in {store.path}: {error.strerror or error}",
            hint="make room, then --resume goes on with the study",
        ) from error


def _cancelled(command: launchers.Command, error: BaseException, started_ns: int) -> LaunchEnd:
    """The end of a launch that this process was made to break off."""
    duration_s = (time.monotonic_ns() - started_ns) / 1e9
    return LaunchEnd(
        status="cancelled",
        reason=f"broken off after {duration_s:.0f} s ({type(error).__name__})",
        failed_rank=None,
        exit_codes=(None,) * command.ranks,
        duration_s=duration_s,
        supervisor_cpu_s=None,
        log_tail="",
    )


def _hopeless(ranks: list[RankOutput]) -> BenchError | None:
    """What a rank says where the workload itself cannot be had: the next launch would say the same."""
    for rank in ranks:
        said = rank.document
        if said.get("status") == "refused":
            return BenchError(said["reason"], hint=said.get("hint") or "", code=said["exit_code"])
    return None


def stored(store: Path, study_id: str) -> "Stored":
    """A committed study as it lies in its store, damaged files left out and named."""
    from bench.analysis.statistics.steady import Steps  # noqa: PLC0415 - scipy takes seconds, and the study's window must not wait
    from bench.analysis.study_report import Stored  # noqa: PLC0415

    damaged: list[index.Damage] = []
    plan, files = index.plan(store, study_id), read.committed(store, study_id, damaged)
    return Stored(
        plan=plan,
        launches=files.launches(damaged),
        steps={name: Steps.from_columns(columns) for name, columns in files.steps(damaged, Steps.COLUMNS)},
        epochs=files.epochs(damaged),
        classes=files.classes(damaged),
        dna=files.dna(damaged),
        damaged=tuple(dict.fromkeys(map(str, damaged))),
    )


def analyse(store: Path, study_id: str) -> result.Study:
    """A committed study as findings: what every report tells."""
    from bench.analysis import study_report  # noqa: PLC0415 - scipy takes seconds, and the study's window must not wait

    return study_report.analyse(stored(store, study_id), profiles.hardware_peaks())
