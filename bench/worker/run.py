"""One launch as one rank lives it: build, join, check the world, warm up, time the window, prove that it trained."""

import time
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from bench.learn import WorkloadError, recipe, rng
from bench.learn.averaging import Ema
from bench.learn.batches import Batches
from bench.learn.data import DataSet, of_workload
from bench.learn.models import build
from bench.learn.models.causes import in_users_words
from bench.learn.schedules import scheduler
from bench.worker import (
    anatomy,
    bootstrap,
    checkpoint,
    checks,
    forward,
    host,
    job,
    phases,
    process,
    variable_reads,
    world,
)
from bench.worker.afterwards import Afterwards
from bench.worker.checkpoint_file import Place
from bench.worker.epochs import EpochLoop, Trained
from bench.worker.meters import Meters
from bench.worker.preparing import optimizer_of, try_out
from bench.worker.proof import find_out
from bench.worker.record import Record
from bench.worker.source import Loaded
from bench.worker.train import Segment, Trainer, train_segment
from bench.worker.window import Window
from bench.worker.wrapping import wrapped

_MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def run(rank: bootstrap.Rank, told: job.Job) -> None:
    """Run the launch and leave `rankN.json` and `rankN.steps.npz` in its folder.

    Raises:
        WorkloadError: the model or the data cannot be had; the same in every launch of the study.
        WorldMismatchError: the ranks that met are not those that were planned.
        torch.OutOfMemoryError: the device's memory is too small.
        TrainingError: the model cannot be trained in this row.
    """
    launch = _Launch(rank, told)
    launch.join()
    launch.prepare()
    with in_users_words(launch.plain):
        if told.workload.epochs is None:
            launch.train_steps()
        else:
            launch.train_epochs(told.workload.epochs)
    launch.finish()


class _Launch:
    """The stages of `run`, in the order in which they stand."""

    def __init__(self, rank: bootstrap.Rank, told: job.Job) -> None:
        self.rank, self.told = rank, told
        self.workload, self.configuration = told.workload, told.configuration
        self.recipe = told.workload.recipe.at_batch(told.configuration.batch_global)
        self.record = Record()
        self.epochs: list[job.EpochResult] = []

    def join(self) -> None:
        """Take the device and the threads, form the group, and hold both against the plan."""
        place = world.join(self.rank, self.told)
        self.backend, self.device, self.group = place.backend, place.device, place.group
        self.places, self.watch = place.places, place.watch
        driven = self.configuration.ranks if self.configuration.strategy == "dp" else 1
        self.meters = Meters(self.device, devices=driven, first_of_host=self.rank.local_rank == 0)

    def prepare(self) -> None:
        """Data on the device; model built on the CPU from the seed, so that every device starts from equal weights."""
        workload, configuration = self.workload, self.configuration
        self.rank.heart.enter("preparing")
        rng.seed(workload.seed)
        self.watch.planted(workload.seed)
        self.data: DataSet = of_workload(workload, configuration.batch_global)
        self._refuse_other_data()
        self.rank.heart.enter("building")  # a phase of its own: a user's code may take its time
        model = build(workload.model, self.data.input_shape, self.data.classes, workload.model_options)
        self.source = Loaded().look()
        self.watch.model = model
        self._look()
        self.memory_format = _MEMORY_FORMATS[workload.memory_format]
        self.plain: nn.Module = model.to(self.device)
        self.batch = configuration.batch_global // configuration.processes  # DataParallel scatters its process's
        self.batches = Batches(
            self.data,
            device=self.device,
            rank=self.group.rank,
            world_size=self.group.world_size,
            batch_per_rank=self.batch,
            seed=workload.seed,
            augmentations=workload.augment,
            mixup=self.recipe.mixup,
            cutmix=self.recipe.cutmix,
            memory_format=self.memory_format,
        )
        try_out(workload, self.plain, self.batches, self.data)
        self.plain.to(memory_format=self.memory_format)  # now that layers which their first batch makes have weights
        phases.check(self.recipe, self.plain, self.batches)
        optimizer, self.warnings = optimizer_of(workload, self.recipe, self.plain, self.batches)
        self.trainer = Trainer(
            model=self._wrapped(self.plain),
            loss=recipe.loss_function(self.recipe.label_smoothing),
            optimizer=optimizer,
            scheduler=self._scheduler(optimizer),
            classes=self.data.classes,
            clip_norm=self.recipe.clip_norm,
            ema=Ema(self.plain, self.recipe.ema_decay) if self.recipe.ema_decay else None,
            precision=workload.precision,
            device=self.device,
            backend=self.backend,
            group=self.group,
            heart=self.rank.heart,
        )
        self.digest_before = checks.weights_digest(self.plain)
        self.checkpoints = checkpoint.of(self.told, self.trainer, self.plain, self.data)
        self.earlier = self.checkpoints.go_on(next(iter(self.batches)))
        self.anatomy = anatomy.of(self.told, self.trainer, self.plain, self.batches)
        self.backend.synchronize(self.device)
        self.group.barrier(self.device)
        self.record.origin_ns = time.perf_counter_ns()
        self.first_step_ns = time.monotonic_ns()

    def _refuse_other_data(self) -> None:
        """On several hosts each has its own disk."""
        if len(set(self.group.gather(self.data.digest))) > 1:
            raise WorkloadError(
                f"The ranks hold different {self.data.name} data.", "Put the same files on every host, then --resume."
            )

    def _scheduler(self, optimizer: torch.optim.Optimizer) -> Any:
        """None, a constant rate, in a window of steps or seconds: it has no end that a schedule could be laid over."""
        epochs, steps = self.workload.epochs, self.batches.steps_per_epoch
        if epochs is None:
            return None
        if steps is None:
            raise WorkloadError("Synthetic data has no epochs.", "Use --steps or --seconds, or real --data.")
        return scheduler(optimizer, self.recipe, epochs * steps, steps)

    def _wrapped(self, model: nn.Module) -> nn.Module:
        return wrapped(model, self.configuration, self.device)

    def _train(
        self,
        batches: Any,
        steps: int,
        *,
        epoch: int,
        in_window: bool,
        step_ns: int = 10**7,
        loss_before: float = 0.0,
    ) -> Segment:
        if self.anatomy is not None:
            in_window, self.anatomy.epoch = False, epoch
        self._look()
        if in_window:
            self.meters.start()
        segment = train_segment(
            self.trainer,
            batches,
            steps,
            batch=self.batch,
            phase="window" if in_window else "warm-up",
            step_ns=step_ns,
            count_correct=self.workload.epochs is not None,
            loss_before=loss_before,
        )
        if in_window:
            self.meters.stop(self.record)
        self._look()
        self.watch.look_at_input(self.batches, after_window=in_window)
        self.record.add(segment, epoch=epoch, in_window=in_window, batch=self.batch)
        return segment

    def _look(self) -> None:
        """Between what is timed: note what the model's code has changed, and take back what would lose the launch."""
        self.watch.look()
        process.put_back()

    def train_steps(self) -> None:
        """Warm up, then one window of the asked steps, or of as many as the asked seconds hold on the slowest rank."""
        batches = iter(self.batches)
        self._train(batches, self.workload.warmup_steps, epoch=0, in_window=False)
        told, meters, record = self.told, self.meters, self.record
        window = Window(record=record, group=self.group, workload=self.workload, minimum_steps=told.minimum_steps)
        window.time(
            lambda steps, step_ns: self._train(batches, steps, epoch=0, in_window=True, step_ns=step_ns),
            start_over=lambda: meters.start_over(record),
        )

    def train_epochs(self, epochs: int) -> None:
        """Whole epochs, each evaluated exactly; the first steps of the first are the warm-up."""
        loop = EpochLoop(
            trainer=self.trainer,
            plain=self.plain,
            recipe=self.recipe,
            data=self.data,
            batches=self.batches,
            train=self._train,
            memory_format=self.memory_format,
            warmup_steps=self.workload.warmup_steps,
            results=self.epochs,
            save=self._save,
            save_every=self.told.keep.checkpoint_steps,
        )
        first = 0
        if self.earlier is not None:
            first, self.epochs[:] = self.earlier["epoch"], checkpoint.results_of(self.earlier)
            part = checkpoint.part_of(self.earlier, self.group.rank)
            loop.part = Trained(**part) if part is not None else None
        loop.run(epochs, first=first)

    def _save(self, place: Place, loop: EpochLoop, part: Trained | None = None) -> None:
        self.checkpoints.save(place, loop.results, asdict(part) if part is not None else None)

    def _recorded(self) -> job.RankResult:
        """What the window has left on record."""
        record, trainer = self.record, self.trainer
        hardware_tag, boot_tag = host.tags(self.rank, self.configuration.nodes)
        came_from = self.checkpoints.came_from
        by_device = self.configuration.strategy == "dp"  # one process drives them all
        return job.RankResult(
            rank=self.group.rank,
            world_size=self.group.world_size,
            device_name=self.backend.name(self.device),
            distinct_devices=self.configuration.ranks if by_device else len(set(self.places)),
            threads=torch.get_num_threads(),
            params=checks.parameter_count(self.plain),
            epoch_samples=self.batches.samples_per_epoch,
            first_step_monotonic_ns=self.first_step_ns,
            closure_error=max(record.closure_errors, default=None),
            loss_first=checks.finite(trainer.first_loss),
            loss_last=checks.finite(trainer.last_loss),
            losses_finite=record.losses_finite,
            peak_memory_bytes=self.backend.peak_memory_bytes(self.device),  # before anything is tried on a copy
            weights_moved=checks.weights_digest(self.plain) != self.digest_before,
            window_cpu_s=record.window_cpu_s,
            window_switches=record.window_switches,
            collection_s=record.window_collection_ns / 1e9,
            changed=self.watch.changed,
            cores=self.watch.cores,
            energy_j=self.meters.energy.joules,
            energy_gap=self.meters.energy.gap,
            limits=self.meters.limits.told(),
            hardware_tag=hardware_tag,
            boot_tag=boot_tag,
            epochs=self.epochs if self.group.rank == 0 else [],
            resumed_epoch=came_from.epochs if came_from is not None else None,
            resumed_step=came_from.steps if came_from is not None else None,
            checkpoint_s=self.checkpoints.spent_s if self.told.checkpoints is not None else None,
            anatomy=self.told.keep.anatomy is not None,
            warnings=[*self.warnings, *self.checkpoints.warnings, *variable_reads.warnings()]
            if self.group.rank == 0
            else [],
            **self.source.look().told(),  # again: an import may wait until it is needed
            data_hash=self.data.digest,
            data_account=self.data.account.to_json() if self.data.account and self.group.rank == 0 else None,
        )

    def _changed(self) -> dict[str, list[Any]]:
        seen = forward.look_into(self.trainer, self.plain, next(iter(self.batches))[0])
        return self.watch.look_into_forward(seen.dtypes, seen.threads)

    def finish(self) -> None:
        """Leave everything in the launch's folder; then prove that it trained, and add what is found."""
        rank, group = self.rank, self.group
        rank.heart.enter("finishing")
        self._look()
        self.record.save(job.steps_file(rank.folder, rank.rank))
        after = Afterwards(
            self._recorded(),
            lambda result: job.write_result(rank.folder, rank.rank, {"status": "ok", **asdict(result)}),
        )
        after.find(changed=self._changed)
        if self.anatomy is not None:
            after.find(layers=self.anatomy.end)
        find_out(
            after,
            self.trainer,
            self.plain,
            self.batches,
            batch=self.batch,
            step_ns=self.record.median_step_ns(),
            wrap=self._wrapped,
            counts_flop=self.device.type != "cpu" or (self.told.has_ceilings and group.rank == 0),
        )
        after.find(group=group.leave)
        rank.heart.enter("done")
