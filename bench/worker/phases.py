"""What a recipe's phases change beside the learning rate: dropout, augmentation, mixing and the loss."""

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from bench.learn import WorkloadError, mixing
from bench.learn.batches import Batches
from bench.learn.recipe import loss_function
from bench.recipe import Phase, Recipe
from bench.worker.train import Trainer


def enter(phase: Phase, trainer: Trainer, unwrapped: nn.Module, batches: Batches) -> None:
    """Change what a phase says; the learning rate is the scheduler's business."""
    if phase.dropout is not None:
        for module in _dropouts(unwrapped):
            module.p = phase.dropout
    if phase.label_smoothing is not None:
        trainer.loss = loss_function(phase.label_smoothing)
    batches.change(phase.augment, phase.mixup, phase.cutmix)


def check(recipe: Recipe, unwrapped: nn.Module, batches: Batches) -> None:
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
        mixing.check(loss_function(recipe.label_smoothing), batches.batch_per_rank)


def _dropouts(model: nn.Module) -> list[_DropoutNd]:
    return [each for each in model.modules() if isinstance(each, _DropoutNd)]
