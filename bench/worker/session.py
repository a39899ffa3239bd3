"""What a rank trains, put together: data, model, recipe and wrapper, for a launch and for a repro run in one way."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parallel import DataParallel, DistributedDataParallel

from bench import ddp
from bench.learn import WorkloadError, mixing, rng
from bench.learn import recipe as recipes
from bench.learn.averaging import Ema
from bench.learn.batches import Batches
from bench.learn.catalogue import is_users
from bench.learn.data import DataSet, of_workload
from bench.learn.models import build
from bench.learn.models.trial import first_batch
from bench.learn.schedules import scheduler
from bench.plan import Configuration, Workload
from bench.recipe import Phase, Recipe
from bench.worker.group import World
from bench.worker.train import Trainer, autocast

_MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclass(frozen=True, kw_only=True)
class Session:
    """A training that can begin."""

    world: World
    recipe: Recipe  # as the global batch has it
    data: DataSet
    batches: Batches
    unwrapped: nn.Module  # the trainer's model without its wrapper
    trainer: Trainer
    memory_format: torch.memory_format
    warnings: tuple[str, ...] = ()

    def wrap(self, model: nn.Module) -> nn.Module:
        """Put a copy into the wrapper that the model is trained in."""
        return wrapped(model, self.world.configuration, self.world.device)

    def enter(self, phase: Phase) -> None:
        """Change what a phase says; the learning rate is the scheduler's business."""
        if phase.dropout is not None:
            for module in _dropouts(self.unwrapped):
                module.p = phase.dropout
        if phase.label_smoothing is not None:
            self.trainer.loss = recipes.loss_function(phase.label_smoothing)
        self.batches.change(phase.augment, phase.mixup, phase.cutmix)


def load(world: World, workload: Workload) -> tuple[DataSet, nn.Module]:
    """The data; and the model, built on the CPU from the seed, so that every device starts from equal weights.

    Raises:
        WorkloadError: the model or the data cannot be had, or a host has other data than the next.
    """
    world.heart.enter("preparing")
    rng.seed(workload.seed)
    data = of_workload(workload, world.configuration.batch_global)
    if len(set(world.group.gather(data.digest))) > 1:  # on several hosts each has its own disk
        raise WorkloadError(
            f"The ranks hold different {data.name} data.", "Put the same files on every host, then --resume."
        )
    world.heart.enter("building")  # a phase of its own: a user's code may take its time
    return data, build(workload.model, data.input_shape, data.classes, workload.model_options)


def prepare(
    world: World,
    workload: Workload,
    data: DataSet,
    model: nn.Module,
    *,
    tried_on: torch.device | None = None,
    schedule_steps: int | None = None,
) -> Session:
    """Put what was loaded on its device, and everything that trains it around it.

    Args:
        world: where it is trained.
        workload: what is trained.
        data: as loaded.
        model: as loaded.
        tried_on: where a user's model sees its first batch, and draws the weights that it makes then; None: on the
            device that it is trained on.
        schedule_steps: that schedules are laid over; None: the workload's epochs.

    Raises:
        WorkloadError: it cannot be trained; with what helps.
    """
    recipe = workload.recipe.at_batch(world.configuration.batch_global)
    memory_format = _MEMORY_FORMATS[workload.memory_format]
    batches = _batches(world, workload, recipe, data)
    unwrapped = model.to(tried_on or world.device)
    _try_out(workload, unwrapped, next(iter(batches))[0].to(tried_on or world.device), data.classes)
    # Now that layers which their first batch makes have weights.
    unwrapped.to(world.device).to(memory_format=memory_format)
    check_phases(recipe, unwrapped, batches)
    optimizer, warnings = optimizer_of(workload, recipe, unwrapped, batches)
    return Session(
        world=world,
        recipe=recipe,
        data=data,
        batches=batches,
        unwrapped=unwrapped,
        memory_format=memory_format,
        warnings=warnings,
        trainer=Trainer(
            model=wrapped(unwrapped, world.configuration, world.device),
            loss=recipes.loss_function(recipe.label_smoothing),
            optimizer=optimizer,
            scheduler=_scheduler(optimizer, recipe, workload.epochs, batches.steps_per_epoch, schedule_steps),
            classes=data.classes,
            clip_norm=recipe.clip_norm,
            ema=Ema(unwrapped, recipe.ema_decay) if recipe.ema_decay else None,
            precision=workload.precision,
            device=world.device,
            backend=world.backend,
            group=world.group,
            heart=world.heart,
        ),
    )


def _batches(world: World, workload: Workload, recipe: Recipe, data: DataSet) -> Batches:
    return Batches(
        data,
        device=world.device,
        rank=world.group.rank,
        world_size=world.group.world_size,
        batch_per_rank=world.configuration.batch_per_process,
        seed=workload.seed,
        augmentations=workload.augment,
        mixup=recipe.mixup,
        cutmix=recipe.cutmix,
        memory_format=_MEMORY_FORMATS[workload.memory_format],
    )


def _try_out(workload: Workload, model: nn.Module, images: torch.Tensor, classes: int) -> None:
    """A user's model, in the numbers that it is trained in."""
    with autocast(workload.precision, images.device):
        first_batch(
            workload.model,
            model,
            images,
            classes,
            evaluated=workload.epochs is not None,
            shape_is_free=workload.data == "synthetic",
        )


def optimizer_of(
    workload: Workload, recipe: Recipe, model: nn.Module, batches: Batches
) -> tuple[torch.optim.Optimizer, tuple[str, ...]]:
    """The recipe's, and what is to be said of it. Whether gradients are sparse is tried where the model is the user's.

    Raises:
        WorkloadError: torch has no such update for these weights.
    """
    users = is_users(workload.model)
    sparse = recipes.sparse_weights(model, next(iter(batches))[0][:2]) if users else []
    warnings = (f"{recipes.UNFUSED} ({', '.join(sparse[:3])})",) if sparse else ()
    return recipes.optimizer(model, recipe, sparse), warnings


def _scheduler(
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    epochs: int | None,
    steps_per_epoch: int | None,
    schedule_steps: int | None,
) -> Any:
    """None, a constant rate, in a window of steps or seconds: it has no end that a schedule could be laid over."""
    if epochs is not None and steps_per_epoch is None:
        raise WorkloadError("Synthetic data has no epochs.", "Use --steps or --seconds, or real --data.")
    steps = schedule_steps or (epochs or 0) * (steps_per_epoch or 0)
    return scheduler(optimizer, recipe, steps, steps_per_epoch or steps) if steps else None


def wrapped(model: nn.Module, configuration: Configuration, device: torch.device) -> nn.Module:
    """A model on its device, wrapped; DDP gets the options of the row's configuration."""
    if configuration.strategy == "ddp":
        ids = [device.index] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, **ddp.options(configuration.ddp))
    if configuration.strategy == "dp":
        return DataParallel(model, device_ids=list(range(configuration.ranks)))
    return model


def synchronised(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that DDP keeps equal on all ranks: trainable, and not left out by the model itself."""
    # What a model says so that DDP leaves them alone; torch has the setter for it, and no getter.
    left_out = set(getattr(model, "_ddp_params_and_buffers_to_ignore", ()))
    return {name: each for name, each in model.named_parameters() if each.requires_grad and name not in left_out}


def check_phases(recipe: Recipe, unwrapped: nn.Module, batches: Batches) -> None:
    """Say before training what a later phase would stumble over.

    Raises:
        WorkloadError: dropout of a model that has none, an augmentation that the images cannot have, or samples to
            mix where a rank has one.
    """
    before = batches.augmentations, batches.mixup, batches.cutmix
    for phase in recipe.phases:
        if phase.dropout is not None and not _dropouts(unwrapped):
            raise WorkloadError(
                f"The phase from epoch {phase.from_epoch} sets dropout; the model has no dropout layers.",
                "Build the model with dropout (as in [model.options] dropout = 0.3), or leave it out of the phases.",
            )
        batches.change(phase.augment, phase.mixup, phase.cutmix)
    batches.augmentations, batches.mixup, batches.cutmix = before
    if recipe.mixes:
        mixing.check(recipes.loss_function(recipe.label_smoothing), batches.batch_per_rank)


def _dropouts(model: nn.Module) -> list[_DropoutNd]:
    return [each for each in model.modules() if isinstance(each, _DropoutNd)]
