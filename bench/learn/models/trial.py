"""Before a model is trained: does it take the pictures of the data, and return logits for their classes?"""

import time
from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import is_lazy

from bench.learn import WorkloadError
from bench.learn.catalogue import is_users
from bench.learn.copying import NotCopiedError, aside, copy_of
from bench.learn.models.causes import Shape, Situation, about_output, hint, in_words

_LOOK_FOR_S = 10.0  # something that it takes, where it does not take what it should


def first_batch(
    name: str,
    model: nn.Module,
    images: Tensor,
    classes: int,
    *,
    evaluated: bool = False,
    shape_is_free: bool = False,
) -> None:
    """Try a copy of a user's model on its first batch; where that made the copy's weights, make the model's own.

    Some models are made by it: lazy layers take their width from it, norms of flows their scale, and many users build a
    layer in the first forward. So nothing else is shown to them before.

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
    if any(map(is_lazy, (*model.parameters(), *model.buffers()))) or (
        tried is not None and _names(tried) != _names(model)
    ):
        with torch.no_grad():
            model(images.clone())
        model.to(images.device)
    if evaluated:
        check_forward(name, model.eval(), images.clone(), classes, shape_is_free=shape_is_free)
        model.train()


def _names(model: nn.Module) -> set[str]:
    return {name for name, _ in model.named_parameters()}


def check_forward(
    name: str, model: nn.Module, images: Tensor, classes: int, *, shape_is_free: bool = True
) -> nn.Module | None:
    """One forward pass of a copy, in the mode that the model is in; of "meta" images: of their shape alone.

    Args:
        name: as `--model` has it.
        model: on the device of the images.
        images: [batch, channels, height, width].
        classes: of the data.
        shape_is_free: another `--input-shape` could be asked for.

    Returns:
        The copy; None where there can be none. What cannot be copied is not tried: its first step will tell.

    Raises:
        WorkloadError: the model raises, or returns anything but [batch, classes]; with what helps.
        torch.OutOfMemoryError: the device's memory is too small.
    """
    batch, *plane = images.shape
    shape = ("an image of " if batch == 1 else f"{batch} images of ") + "x".join(map(str, plane))
    try:
        tried = copy_of(model)
    except NotCopiedError:
        return None
    try:
        output = _run(tried, images)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        by_when = time.monotonic() + (0.0 if images.is_meta else _LOOK_FOR_S)

        def takes(other: Shape, count: int) -> bool:
            """Whether a copy does; on the device, of numbers as pictures have."""
            with suppress(Exception):
                pictures = torch.randn(count, *other).to(images.device, images.dtype)
                output = _run(copy_of(model), pictures) if time.monotonic() < by_when else None
                return about_output(output, count, classes) is None
            return False

        channels, height, width = plane
        situation = Situation(
            model=model,
            shape=(channels, height, width),
            classes=classes,
            takes=takes,
            shape_is_free=shape_is_free,
        )
        what = f"{name} cannot take {shape}: {in_words(error)}."
        raise WorkloadError(what, hint(error, situation)) from error
    if wrong := about_output(output, batch, classes, free=shape_is_free):
        what, way_out = wrong
        mode = "" if model.training else " in evaluation mode"
        what = f"{name} {what} for {shape}{mode}; the data has {classes} classes."
        raise WorkloadError(what, way_out)
    return tried


def _run(model: nn.Module, images: Tensor) -> object:
    with aside(images.device):
        return functional_call(model, _weightless(model), (images,)) if images.is_meta else model(images)


def _weightless(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers as shapes without memory."""
    return {key: each.to("meta") for key, each in [*model.named_parameters(), *model.named_buffers()]}
