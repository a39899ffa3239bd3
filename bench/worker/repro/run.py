"""The steps of a rehearsal, readable top to bottom: build, train in deterministic mode, write down what is seen.

The loop is its own, since hashing every step never belongs in a timed window; data, model, recipe and group are those
of a measured rank. No clock is read here.
"""

import os
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from bench import devices
from bench.learn import evaluate as evaluation
from bench.learn import first_batch, mixing, recipe
from bench.learn.batches import Batches
from bench.learn.data import of_workload
from bench.learn.models import build
from bench.learn.schedules import scheduler
from bench.recipe import Recipe
from bench.repro import capsule
from bench.repro.capsule import Fact, Part, Rehearsal
from bench.worker import bootstrap, group
from bench.worker.repro import perturb, tensor_digest
from bench.worker.train import Trainer
from bench.worker.wrapping import wrapped
from launchers.heartbeat import Heart

_MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
_COLLECTIVE_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a rank rehearses."""

    device: torch.device
    backend: ModuleType  # of bench.devices
    group: group.Group
    heart: Heart


def join(rank: bootstrap.Rank, told: Rehearsal) -> Place:
    """Take the device, the threads and the deterministic mode, and form the group.

    Raises:
        WorldMismatchError: the ranks that met are not those that were asked for.
    """
    rank.heart.enter("joining")
    configuration = told.configuration
    backend = devices.load(configuration.device)
    device = backend.prepare(rank.local_rank, configuration.cores_per_rank)
    be_deterministic(configuration.device, told.workload.precision)
    joined = group.join(
        configuration,
        rank=rank.rank,
        world_size=rank.world_size,
        launch_id="rehearsal",
        timeout_s=_COLLECTIVE_TIMEOUT_S,
    )
    group.assert_world(
        joined,
        configuration,
        node=rank.node,
        place=backend.place(device),
        threads=torch.get_num_threads(),
        software=f"torch {torch.__version__}",
        oversubscribed=True,  # nothing is timed
    )
    return Place(device=device, backend=backend, group=joined, heart=rank.heart)


def be_deterministic(device: str, precision: str) -> None:
    """Have torch refuse what it cannot repeat. Slower, so never for a run whose speed counts.

    What must stand before torch is imported (CUBLAS_WORKSPACE_CONFIG and the like) is set by who starts the rank.
    """
    # On MPS torch refuses even the backward pass of max-pooling; there its warnings are kept instead.
    torch.use_deterministic_algorithms(True, warn_only=device == "mps")
    torch.backends.cudnn.benchmark = False
    devices.set_float32_precision(precision)


def rehearse(told: Rehearsal, place: Place) -> Part:
    """Train the workload's steps and write down what is seen.

    Raises:
        WorkloadError: the model or the data cannot be had.
        RuntimeError: an operation of the model has no deterministic form on this device.
    """
    place.heart.enter("preparing")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        rehearsed = _Rehearsed(told, place)
        rehearsed.train()
    return rehearsed.part(sorted({str(each.message).splitlines()[0] for each in heard if _of_torch(each)}))


class _Rehearsed:
    """One rank's rehearsal."""

    def __init__(self, told: Rehearsal, place: Place) -> None:
        self.told, self.place, self.workload = told, place, told.workload
        self.facts: list[Fact] = []
        self.losses: list[str] = []
        self.steps = self.workload.steps or 0
        torch.manual_seed(self.workload.seed)
        self.data = of_workload(self.workload, told.configuration.batch_global)
        options = self.workload.model_options
        model = build(self.workload.model, self.data.input_shape, self.data.classes, options)
        self.recipe: Recipe = self.workload.recipe.at_batch(told.configuration.batch_global)
        self.layout = _MEMORY_FORMATS[self.workload.memory_format]
        batches = self._batches()
        first_batch.begin(self.workload.model, model, next(iter(batches))[0].cpu(), self.data.classes)
        self.nudge = perturb.nudge(model, told.nudged) if told.nudged is not None else None
        self.plain = model.to(place.device).to(memory_format=self.layout)
        if told.other_kernels is not None:
            own = told.other_kernels * place.group.world_size + place.group.rank
            self.nudge = perturb.round_otherwise(self.plain, own)
        self.trainer = self._trainer(batches.steps_per_epoch or self.steps)
        self.batches = iter(batches)

    def _trainer(self, steps_per_epoch: int) -> Trainer:
        """Cosine and onecycle are laid over the rehearsal's steps; what is counted in epochs keeps its pace."""
        optimizer = recipe.optimizer(self.plain, self.recipe)
        return Trainer(
            model=wrapped(self.plain, self.told.configuration, self.place.device),
            loss=recipe.loss_function(self.recipe.label_smoothing),
            optimizer=optimizer,
            scheduler=scheduler(optimizer, self.recipe, self.steps, steps_per_epoch),
            classes=self.data.classes,
            clip_norm=self.recipe.clip_norm,
            precision=self.workload.precision,
            device=self.place.device,
            backend=self.place.backend,
            group=self.place.group,
            heart=self.place.heart,
        )

    def _batches(self) -> Batches:
        """This rank's batches, with each sample's index in the place of its label.

        The pipeline itself is asked which samples it takes: what it says cannot differ from what it does.
        """
        numbered = replace(self.data, train_labels=torch.arange(len(self.data.train_images)))
        return Batches(
            numbered,
            device=self.place.device,
            rank=self.place.group.rank,
            world_size=self.place.group.world_size,
            batch_per_rank=self.told.configuration.batch_per_rank,
            seed=self.workload.seed,
            augmentations=self.workload.augment,
            mixup=self.recipe.mixup,
            cutmix=self.recipe.cutmix,
            memory_format=self.layout,
        )

    def train(self) -> None:
        """All the steps, each one's facts after it."""
        trainer, heart, most = self.trainer, self.place.heart, self.told.sample
        labels_of = self.data.train_labels.to(self.place.device)
        self.facts += tensor_digest.parameters(capsule.INIT, 0, self.plain, most)
        self._note_random_state(0)
        trainer.model.train()
        if self.told.still:
            keep_still(self.plain)
        heart.enter("window", 0, self.steps)
        for step in range(self.steps):
            images, indices, *shares = next(self.batches)
            labels = labels_of[indices]
            if shares:
                images, labels = mixing.mixed(images, labels, shares[0], trainer.classes)
            if self.told.backwards:
                images, indices, labels = images.flip(0), indices.flip(0), labels.flip(0)
            if step < capsule.FIRST_BATCHES:
                self._note_batch(step, images, indices)
            trainer.optimizer.zero_grad(set_to_none=True)
            with tensor_digest.watched(self.plain, self.facts.append, most) if step == 0 else nullcontext():
                with trainer.autocast():
                    loss = trainer.loss(trainer.model(images), labels)
                trainer.scaler.scale(loss).backward()
            if step == 0 and self.place.group.joined:
                self.facts += tensor_digest.gradients(capsule.REDUCED, self.plain, most)
            if trainer.clip_norm:
                trainer.scaler.unscale_(trainer.optimizer)
                clip_grad_norm_(self.plain.parameters(), trainer.clip_norm)
            trainer.scaler.step(trainer.optimizer)
            trainer.scaler.update()
            if trainer.scheduler is not None:
                trainer.scheduler.step()
            self.losses.append(float(loss.detach()).hex())
            if (made := step + 1) & step == 0 or made == self.steps:  # 1, 2, 4, 8, … and the last
                self.facts += tensor_digest.parameters(capsule.WEIGHTS, made, self.plain, most)
                self._note_random_state(made)
            heart.beat(made)
        heart.enter("finishing")

    def _note_batch(self, step: int, images: torch.Tensor, indices: torch.Tensor) -> None:
        chosen = indices.cpu()
        for stage, tensor in (
            (capsule.INDICES, chosen),
            (capsule.RAW, self.data.train_images[chosen]),
            (capsule.AUGMENTED, images),
        ):
            self.facts.append(
                tensor_digest.fact(stage, step, "images" if stage != capsule.INDICES else "samples", tensor)
            )

    def _note_random_state(self, made: int) -> None:
        self.facts.append(tensor_digest.fact(capsule.RANDOM, made, "cpu", torch.get_rng_state()))

    def part(self, heard: list[str]) -> Part:
        """What was seen, with the conditions it was seen under."""
        return Part(
            rank=self.place.group.rank,
            conditions=conditions(self.place, self.trainer.model),
            facts=tuple(self.facts),
            losses=tuple(self.losses),
            warnings=tuple(heard),
            nudge=self.nudge,
            top1=self._top1() if self.told.evaluate else None,
        )

    def _top1(self) -> float | None:
        with self.trainer.autocast():
            counts = evaluation.evaluate(
                self.plain,
                self.data,
                device=self.place.device,
                memory_format=self.layout,
                beat=self.place.heart.beat,
            )
        return evaluation.top1(counts)


def keep_still(model: nn.Module) -> None:
    """Freeze what makes N ranks compute something else than one: statistics of a rank's own batch, and chance."""
    for module in model.modules():
        if isinstance(module, _BatchNorm | _DropoutNd):
            module.eval()


def conditions(place: Place, model: nn.Module) -> dict[str, Any]:
    """What may change numbers, as plain JSON types."""
    versions: dict[str, Any] = {"torch": str(torch.__version__)}
    if place.device.type == "cuda":
        versions |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}  # type: ignore[no-untyped-call]
    buckets = None
    if isinstance(model, DistributedDataParallel):
        logged = model._get_ddp_logging_data()  # type: ignore[no-untyped-call]  # noqa: SLF001 - meant to be logged
        buckets = {name: logged.get(name) for name in ("bucket_sizes", "rebuilt_bucket_sizes")}
    return {
        "device": place.device.type,
        "device_name": place.backend.name(place.device),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": versions,
        "variables": {name: os.environ[name] for name in capsule.VARIABLES if name in os.environ},
        "world_size": place.group.world_size,
        "backend": place.group.backend,
        "buckets": buckets,
    }


def _of_torch(heard: warnings.WarningMessage) -> bool:
    return "determinis" in str(heard.message)
