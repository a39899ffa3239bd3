"""Proof that training happened, taken outside the timed window."""

import hashlib

import torch
from torch import nn


def weights_digest(model: nn.Module) -> str:
    """A hash of every parameter's bits, in order: equal to another rank's only when every bit is."""
    digest = hashlib.blake2b(digest_size=16)
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
