"""One launch as one rank lives it: build, join, check the world, warm up, time the window, prove that it trained."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from bench.learn.batches import Batch
from bench.learn.models.causes import in_users_words
from bench.worker import afterwards, anatomy, bootstrap, checkpoint, group, variable_reads
from bench.worker import session as sessions
from bench.worker.epochs import EpochLoop, Trained
from bench.worker.job import EpochResult, Job, RankResult, steps_file, write_result
from bench.worker.meters import Meters
from bench.worker.process_state import Watch
from bench.worker.session import Session
from bench.worker.source import Loaded
from bench.worker.train import Segment, train_segment
from bench.worker.window import Record, Window


def run(rank: bootstrap.Rank, job: Job) -> None:
    """Run the launch and leave `rankN.json` and `rankN.steps.npz` in its folder.

    Raises:
        WorkloadError: the model or the data cannot be had; the same in every launch of the study.
        WorldMismatchError: the ranks that met are not those that were planned.
        torch.OutOfMemoryError: the device's memory is too small.
        TrainingError: the model cannot be trained in this row.
    """
    launch = _begin(rank, job)
    with in_users_words(launch.session.unwrapped):
        epochs = _train_epochs(launch, job.workload.epochs) if job.workload.epochs is not None else _train_steps(launch)
    _finish(launch, epochs)


@dataclass(frozen=True, kw_only=True)
class _Launch:
    """A launch whose first step may begin: what it trains, and what looks on."""

    rank: bootstrap.Rank
    job: Job
    session: Session
    watch: Watch
    meters: Meters
    source: Loaded
    checkpoints: checkpoint.Checkpoints
    resumed: dict[str, Any] | None  # content of the checkpoint that it goes on from
    anatomy: anatomy.Anatomy | None
    digest_before: str  # of the weights
    record: Record = field(default_factory=Record)

    def look(self) -> None:
        """Between what is timed: note what the model's code has changed, and take back what would lose the launch."""
        self.watch.look()
        bootstrap.put_back()

    def train(
        self,
        batches: Iterator[Batch],
        steps: int,
        *,
        epoch: int,
        in_window: bool,
        step_ns: int = 10**7,
        loss_before: float = 0.0,
    ) -> Segment:
        """One segment, with all that is read before and after it."""
        batch = self.session.batches.batch_per_rank
        if self.anatomy is not None:
            in_window, self.anatomy.epoch = False, epoch
        self.look()
        if in_window:
            self.meters.start()
        segment = train_segment(
            self.session.trainer,
            batches,
            steps,
            batch=batch,
            phase="window" if in_window else "warm-up",
            step_ns=step_ns,
            count_correct=self.job.workload.epochs is not None,
            loss_before=loss_before,
        )
        if in_window:
            self.meters.stop(self.record)
        self.look()
        self.watch.look_at_input(self.session.batches, after_window=in_window)
        self.record.add(segment, epoch=epoch, in_window=in_window, batch=batch)
        return segment


def _begin(rank: bootstrap.Rank, job: Job) -> _Launch:
    """Up to the first step: join, load, prepare, go on from a checkpoint where there is one."""
    workload, configuration = job.workload, job.configuration
    world = group.join(
        rank,
        configuration,
        workload.precision,
        launch_id=job.launch_id,
        oversubscribed=job.oversubscribed,
        stall_s=job.stall_s,
    )
    watch = Watch(world.device, workload.precision, workload.seed)
    driven = configuration.ranks if configuration.strategy == "dp" else 1
    meters = Meters(world.device, devices=driven, first_of_host=rank.local_rank == 0)
    data, model = sessions.load(world, workload)
    source = Loaded().look()
    watch.model = model
    watch.look()
    bootstrap.put_back()
    session = sessions.prepare(world, workload, data, model)
    digest_before = afterwards.weights_digest(session.unwrapped)
    checkpoints = checkpoint.of(job, session)
    launch = _Launch(
        rank=rank,
        job=job,
        session=session,
        watch=watch,
        meters=meters,
        source=source,
        checkpoints=checkpoints,
        resumed=checkpoints.resume(next(iter(session.batches))),
        anatomy=anatomy.of(job, session),
        digest_before=digest_before,
    )
    world.backend.synchronize(world.device)
    world.group.barrier(world.device)
    launch.record.begin()
    return launch


def _train_steps(launch: _Launch) -> list[EpochResult]:
    """Warm up, then one window of the asked steps, or of as many as the asked seconds hold on the slowest rank."""
    batches, record, workload = iter(launch.session.batches), launch.record, launch.job.workload
    launch.train(batches, workload.warmup_steps, epoch=0, in_window=False)
    window = Window(
        record=record,
        group=launch.session.world.group,
        workload=workload,
        minimum_steps=launch.job.minimum_steps,
    )
    window.time(
        lambda steps, step_ns: launch.train(batches, steps, epoch=0, in_window=True, step_ns=step_ns),
        start_over=lambda: launch.meters.start_over(record),
    )
    return []


def _train_epochs(launch: _Launch, epochs: int) -> list[EpochResult]:
    """Whole epochs, each evaluated exactly; the first steps of the first are the warm-up."""
    loop = EpochLoop(
        session=launch.session,
        train=launch.train,
        warmup_steps=launch.job.workload.warmup_steps,
        save=lambda place, loop, part=None: launch.checkpoints.save(place, loop.results, part and asdict(part)),
        save_every=launch.job.keep.checkpoint_steps,
    )
    first = 0
    if launch.resumed is not None:
        first, loop.results = launch.resumed["epoch"], checkpoint.results_of(launch.resumed)
        part = checkpoint.part_of(launch.resumed, launch.session.world.group.rank)
        loop.part = Trained(**part) if part is not None else None
    loop.run(epochs, first=first)
    return loop.results


def _result(launch: _Launch, epochs: list[EpochResult]) -> RankResult:
    """What the window has left on record."""
    record, session, checkpoints, meters = launch.record, launch.session, launch.checkpoints, launch.meters
    world, trainer, configuration = session.world, session.trainer, launch.job.configuration
    is_first = world.group.rank == 0
    hardware_tag, boot_tag = group.host_tags(launch.rank, configuration.nodes)
    came_from = checkpoints.came_from
    by_device = configuration.strategy == "dp"  # one process drives them all
    return RankResult(
        rank=world.group.rank,
        world_size=world.group.world_size,
        device_name=world.backend.name(world.device),
        distinct_devices=configuration.ranks if by_device else len(set(world.places)),
        threads=torch.get_num_threads(),
        params=afterwards.parameter_count(session.unwrapped),
        epoch_samples=session.batches.samples_per_epoch,
        first_step_monotonic_ns=record.first_step_monotonic_ns,
        closure_error=max(record.closure_errors, default=None),
        loss_first=afterwards.finite(trainer.first_loss),
        loss_last=afterwards.finite(trainer.last_loss),
        losses_finite=record.losses_finite,
        peak_memory_bytes=world.backend.peak_memory_bytes(world.device),  # before anything is tried on a copy
        weights_moved=afterwards.weights_digest(session.unwrapped) != launch.digest_before,
        window_cpu_s=record.window_cpu_s,
        window_switches=record.window_switches,
        collection_s=record.window_collection_ns / 1e9,
        changed=launch.watch.changed,
        cores=launch.watch.cores,
        energy_j=meters.energy.joules,
        energy_gap=meters.energy.gap,
        limits=meters.limits.facts(),
        hardware_tag=hardware_tag,
        boot_tag=boot_tag,
        epochs=epochs if is_first else [],
        resumed_epoch=came_from.epochs if came_from is not None else None,
        resumed_step=came_from.steps if came_from is not None else None,
        checkpoint_s=checkpoints.spent_s if launch.job.checkpoints is not None else None,
        anatomy=launch.anatomy is not None,
        warnings=[*session.warnings, *checkpoints.warnings, *variable_reads.warnings()] if is_first else [],
        **launch.source.look().facts(),  # again: an import may wait until it is needed
        data_hash=session.data.digest,
        data_account=session.data.account.to_json() if session.data.account and is_first else None,
    )


def _finish(launch: _Launch, epochs: list[EpochResult]) -> None:
    """Leave everything in the launch's folder; then prove that it trained, and add what is found."""
    rank, session = launch.rank, launch.session
    world = session.world
    rank.heart.enter("finishing")
    launch.look()
    launch.record.save(steps_file(rank.folder, rank.rank))
    after = afterwards.Afterwards(
        _result(launch, epochs),
        lambda result: write_result(rank.folder, rank.rank, {"status": "ok", **asdict(result)}),
    )

    def changed() -> dict[str, list[Any]]:
        seen = afterwards.look_into(session.trainer, session.unwrapped, next(iter(session.batches))[0])
        return launch.watch.look_into_forward(seen.dtypes, seen.threads)

    after.find(changed=changed)
    if launch.anatomy is not None:
        after.find(layers=launch.anatomy.end)
    counts_flop = world.device.type != "cpu" or (launch.job.has_ceilings and world.group.rank == 0)
    afterwards.find_out(after, session, step_ns=launch.record.median_step_ns(), counts_flop=counts_flop)
    after.find(group=world.group.leave)
    rank.heart.enter("done")
