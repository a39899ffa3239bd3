"""Proof that training happened, taken outside the timed window."""

import hashlib
import math

import torch
from torch import nn


def weights_digest(model: nn.Module) -> str:
    """A hash of every parameter's bits, in order: equal to another rank's only when every bit is."""
    digest = hashlib.blake2b(digest_size=16)
    for parameter in model.parameters():
        # Flat first: a 1x1 convolution in channels_last counts as contiguous with strides that no view of bytes takes.
        flat = parameter.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def flop_per_sample(model: nn.Module, images: torch.Tensor) -> float:
    """Floating point operations of one forward and backward pass, per sample, by torch's own formulas.

    Matrix products, convolutions and attention only, two operations a multiply-accumulate; operators of the user's own
    count as nothing. Leaves the gradients dirty: call it when training is over.
    """
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - slow to import, and unused on CPUs

    counter = FlopCounterMode(display=False)
    model.eval()  # running statistics stay as they are; the operations are the same
    with counter:
        model(images).sum().backward()
    return counter.get_total_flops() / len(images)


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def finite(loss: torch.Tensor | None) -> float | None:
    """A loss as a number JSON and parquet can hold: None when there is none or it is not finite."""
    value = None if loss is None else float(loss.item())
    return value if value is not None and math.isfinite(value) else None
