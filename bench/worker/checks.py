"""Proof that training happened, taken outside the timed window."""

import hashlib
import math

import torch
from torch import nn

from bench.learn.copying import aside, copy_of
from bench.worker.wrapping import synchronised


def weights_digest(model: nn.Module) -> str:
    """A hash of the bits of what is trained on all ranks alike, in order: equal only when every bit is.

    Not of buffers, nor of parameters that the model keeps to itself (not trainable, or left out of DDP): nothing says
    that those are equal.
    """
    digest = hashlib.blake2b(digest_size=16)
    for parameter in synchronised(model).values():
        bits = torch.view_as_real(parameter) if parameter.is_complex() else parameter
        # Flat first: a 1x1 convolution in channels_last counts as contiguous with strides that no view of bytes takes.
        flat = bits.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def flop_per_sample(model: nn.Module, images: torch.Tensor) -> float:
    """Floating point operations of one forward and backward pass, per sample, by torch's own formulas.

    Matrix products, convolutions and attention only, two operations a multiply-accumulate; operators of the user's own
    count as nothing. Of a copy in training mode, in which alone some models have a backward pass (an RNN on CUDA).
    """
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - slow to import, and unused on CPUs

    counter = FlopCounterMode(display=False)
    copied = copy_of(model).train()
    with aside(images.device), counter:
        copied(images).sum().backward()
    return counter.get_total_flops() / len(images)


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def finite(loss: torch.Tensor | None) -> float | None:
    """A loss as a number JSON and parquet can hold: None when there is none or it is not finite."""
    value = None if loss is None else float(loss.item())
    return value if value is not None and math.isfinite(value) else None
