"""The first batch that a user's model sees is the first that it trains on.

Some models are made by it: lazy layers take their width from it, norms of flows their scale, and many users build a
layer in the first forward. So nothing else is shown to them before.
"""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bench.learn.catalogue import TIMM
from bench.learn.models.trial import check_forward


def begin(
    name: str,
    model: nn.Module,
    images: Tensor,
    classes: int,
    *,
    evaluated: bool = False,
    shape_is_free: bool = False,
) -> None:
    """Try a copy of a user's model on its first batch; where that made the copy's weights, make the model's own.

    Args:
        name: of the model; one that is not a user's own was tried when it was built.
        model: on its device, in training mode.
        images: its first batch, on its device.
        classes: of the data.
        evaluated: it is asked in evaluation mode too, after an epoch.
        shape_is_free: the data can have another shape or number of classes.

    Raises:
        WorkloadError: it cannot take the batch, or returns anything but [batch, classes].
    """
    if not is_users(name):
        return
    tried = check_forward(name, model, images.clone(), classes, shape_is_free=shape_is_free)
    if is_unmade(model) or (tried is not None and _names(tried) != _names(model)):
        with torch.no_grad():
            model(images.clone())
        model.to(images.device)
    if evaluated:
        check_forward(name, model.eval(), images.clone(), classes, shape_is_free=shape_is_free)
        model.train()


def is_users(name: str) -> bool:
    """Whether a model is FILE.py:CALLABLE or MODULE:CALLABLE."""
    return ":" in name and not name.startswith(TIMM)


def is_unmade(model: nn.Module) -> bool:
    """Whether a lazy layer has not seen its first batch."""
    return any(map(is_lazy, (*model.parameters(), *model.buffers())))


def _names(model: nn.Module) -> set[str]:
    return {name for name, _ in model.named_parameters()}
