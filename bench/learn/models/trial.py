"""Before a model is trained: does it take the pictures of the data, and return logits for their classes?"""

import time
from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bench.learn import WorkloadError
from bench.learn.copying import NotCopiedError, aside, copy_of
from bench.learn.models.causes import Shape, Situation, about_output, hint, in_words

_LOOK_FOR_S = 10.0  # something that it takes, where it does not take what it should


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
