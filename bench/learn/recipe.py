"""How the weights are trained: torch's own optimizer and loss, chosen by a recipe."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from bench.learn import WorkloadError
from bench.learn.copying import aside, copy_of
from bench.recipe import Recipe

UNFUSED = "weights are updated one after the other, not in torch's fused kernel, which takes no sparse gradients"
_FUSED = ("cpu", "cuda", "mps")  # devices where torch updates all weights in one kernel
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm)


def optimizer(model: nn.Module, recipe: Recipe, sparse: Sequence[str] = ()) -> torch.optim.Optimizer:
    """SGD or AdamW over the trainable weights of a model that is already on its device; fused where torch can.

    Args:
        model: on its device.
        recipe: as a batch has it.
        sparse: weights whose gradients are sparse, which no fused update takes.

    Raises:
        WorkloadError: the model has nothing to train, or torch refuses the recipe's numbers or sparse gradients.
    """
    weights = [each for each in model.parameters() if each.requires_grad]
    if not weights:
        raise WorkloadError("The model has no trainable parameters.", "Nothing can be measured about its training.")
    options: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "fused": not sparse and all(each.device.type in _FUSED and each.is_floating_point() for each in weights),
    }
    if sparse and (recipe.optimizer == "adamw" or recipe.weight_decay):
        what = "AdamW" if recipe.optimizer == "adamw" else "weight decay"
        raise WorkloadError(
            f"Gradients of {', '.join(sparse[:3])} are sparse, and torch has no {what} for those.",
            "Build them with sparse=False, or train with SGD and without weight decay ([recipe] in a profile).",
        )
    groups: Any = weights if recipe.decay == "all" else list(_groups(model, weights))
    try:
        if recipe.optimizer == "adamw":
            return torch.optim.AdamW(groups, betas=recipe.betas, **options)
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.nesterov, **options)
    except ValueError as error:
        raise WorkloadError(f"The recipe cannot be used: {error}.", "Check the profile's recipe.") from error


def sparse_weights(model: nn.Module, pictures: Tensor) -> list[str]:
    """Names of the weights whose gradient is sparse, from one backward pass of a copy; empty where it has none.

    Where that fails, what layers say of themselves has to do; the failure is for the training to tell.
    """
    try:
        tried = copy_of(model).train()
        with aside(pictures.device):
            tried(pictures.clone()).sum().backward()
        return [name for name, each in tried.named_parameters() if each.grad is not None and each.grad.is_sparse]
    except Exception:  # noqa: BLE001 - the model is the user's
        layers = [name for name, each in model.named_modules() if getattr(each, "sparse", False) is True]
        return [f"{name}.weight" for name in layers]


def _groups(model: nn.Module, weights: Sequence[Tensor]) -> Iterator[dict[str, Any]]:
    """What decays, and what usually does not: biases, and the scales and shifts of norms."""
    of_norms = {id(each) for module in model.modules() if isinstance(module, _NORMS) for each in module.parameters()}
    exempt = [each.ndim <= 1 or id(each) in of_norms for each in weights]
    decaying = [each for each, spared in zip(weights, exempt, strict=True) if not spared]
    spared = [each for each, spared in zip(weights, exempt, strict=True) if spared]
    if decaying:
        yield {"params": decaying}
    if spared:
        yield {"params": spared, "weight_decay": 0.0}


def loss_function(label_smoothing: float) -> nn.Module:
    """Mean cross-entropy of [batch, classes] logits against int64 [batch] labels or [batch, classes] shares."""
    return nn.CrossEntropyLoss(label_smoothing=label_smoothing)
