"""Do N ranks compute what one does? Their averaged gradient is held against the same samples' on one device."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench.learn.batches import Batch
from bench.worker.group import Group
from bench.worker.train import Trainer

_SAMPLES = 4  # of each rank: enough for every weight to have a gradient, few enough to be sent to one rank
_NEGLIGIBLE = 1e-6  # of the largest gradient of all: below it a tensor is rounding, and so is its relative error


def gradient_error(trainer: Trainer, plain: nn.Module, batch: Batch, group: Group) -> float | None:
    """The largest relative difference between what the ranks have averaged and one device's gradient.

    In evaluation mode and without autocast: batch statistics, dropout and rounding to half precision would differ for
    reasons of their own. Outside every timed window; leaves no gradient behind.

    Args:
        trainer: the rank's; its model is wrapped.
        plain: the model without its wrapper.
        batch: of this rank, on its device.
        group: all ranks take part.

    Returns:
        On rank 0 the maximum over tensors of max|a-b| / max|b|; None on the others, where there is nobody to average
        with, and when a gradient is not finite.
    """
    if group.world_size == 1 or not isinstance(trainer.model, DistributedDataParallel):
        return None
    images, labels = (each[:_SAMPLES].clone() for each in batch[:2])
    was_training = plain.training
    trainer.model.eval()
    trainer.optimizer.zero_grad(set_to_none=True)
    trainer.loss(trainer.model(images), labels).backward()
    parameters = [each for each in plain.parameters() if each.requires_grad]
    averaged = [None if each.grad is None else each.grad.detach().clone() for each in parameters]
    trainer.optimizer.zero_grad(set_to_none=True)
    shards = group.gather((images.cpu(), labels.cpu()))
    error = None
    if group.rank == 0:
        together = [torch.cat(pieces).to(trainer.device) for pieces in zip(*shards, strict=True)]
        # Not backward(): it would reach the wrapper's hooks.
        alone = torch.autograd.grad(trainer.loss(plain(together[0]), together[1]), parameters, allow_unused=True)
        error = relative_error(averaged, alone)
    plain.train(was_training)
    return error


def relative_error(averaged: Sequence[Tensor | None], alone: Sequence[Tensor | None]) -> float | None:
    """The maximum over tensors of max|a-b| / max|b|; None when a value is not finite.

    A tensor that only one side has a gradient for differs wholly. What is a millionth of the largest gradient counts
    as no larger than that.
    """
    largest = max((float(each.abs().max()) for each in alone if each is not None), default=0.0)
    errors = [0.0]
    for ours, theirs in zip(averaged, alone, strict=True):
        if ours is None and theirs is None:
            continue
        if ours is None or theirs is None:
            present = ours if theirs is None else theirs
            errors.append(0.0 if present is None or not present.any() else 1.0)
            continue
        scale = max(float(theirs.abs().max()), _NEGLIGIBLE * largest)
        difference = float((ours - theirs).abs().max())
        errors.append(difference / scale if scale else float(difference > 0))
    error = float(torch.tensor(errors, dtype=torch.float64).max())
    return error if torch.isfinite(torch.tensor(error)) else None
