"""How the weights are trained: torch's own optimizer, schedule and loss, chosen by a recipe."""

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from bench.learn import WorkloadError
from bench.plan import SCHEDULES, Recipe

_FUSED = ("cpu", "cuda", "mps")  # devices where torch updates all weights in one kernel


def optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD over the trainable weights of a model that is already on its device; fused where torch can.

    Raises:
        WorkloadError: the model has nothing to train, or torch refuses the recipe's numbers.
    """
    weights = [each for each in model.parameters() if each.requires_grad]
    if not weights:
        raise WorkloadError("The model has no trainable parameters.", "Nothing can be measured about its training.")
    try:
        return torch.optim.SGD(
            weights,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
            fused=all(each.device.type in _FUSED and each.is_floating_point() for each in weights),
        )
    except ValueError as error:
        raise WorkloadError(f"The recipe cannot be used: {error}.", "Check the profile's recipe.") from error


def scheduler(optimizer: torch.optim.Optimizer, recipe: Recipe, steps_total: int) -> LRScheduler | None:
    """To be stepped after every optimizer step; None for a constant learning rate, which should cost nothing.

    Raises:
        WorkloadError: an unknown schedule.
    """
    match recipe.schedule:
        case "constant":
            return None
        case "cosine":
            return CosineAnnealingLR(optimizer, T_max=steps_total)
    raise WorkloadError(f"There is no schedule {recipe.schedule!r}.", f"There are: {', '.join(SCHEDULES)}.")


def loss_function(recipe: Recipe) -> nn.Module:
    """Mean cross-entropy of [batch, classes] logits against int64 [batch] labels, smoothed as the recipe says."""
    return nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
