"""The model as its strategy trains it: as it is, or inside torch's own wrapper."""

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from bench import ddp
from bench.plan import Configuration


def wrapped(model: nn.Module, configuration: Configuration, device: torch.device) -> nn.Module:
    """A model on its device, wrapped; DDP gets the options of the row's configuration."""
    if configuration.strategy == "ddp":
        ids = [device.index] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, **ddp.options(configuration.ddp))
    if configuration.strategy == "dp":
        return DataParallel(model, device_ids=list(range(configuration.ranks)))
    return model


def synchronised(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that DDP keeps equal on all ranks: trainable, and not left out by the model itself."""
    # What a model says so that DDP leaves them alone; torch has the setter for it, and no getter.
    left_out = set(getattr(model, "_ddp_params_and_buffers_to_ignore", ()))
    return {name: each for name, each in model.named_parameters() if each.requires_grad and name not in left_out}
