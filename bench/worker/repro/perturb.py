"""Perturbations of a repro run that change nothing but rounding: they show how far rounding alone drives a run."""

from typing import Any

import torch
from torch import nn

# What another kind of device does to a product in float32, in scaled units in the last place. An H100's convolution was
# 5 from a CPU's, and both are some 4 from float64; sums as long as those of a weight's gradient, up to 21.
FORWARD_ULP, GRADIENT_ULP = 8.0, 16.0


def nudge(model: nn.Module, seed: int) -> str:
    """Move every weight by one unit in the last place, up or down by chance; returns what was done.

    One weight would be diluted by all the others, where another kernel rounds every one of them.
    """
    rng = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if weight.is_floating_point():
            up = torch.rand(weight.shape, generator=rng) < 0.5
            towards = torch.where(up, torch.inf, -torch.inf).to(weight)
            with torch.no_grad():
                weight.copy_(torch.nextafter(weight, towards))
    return f"one unit in the last place of every weight, by chance {seed}"


def round_otherwise(
    model: nn.Module, seed: int, forward_ulp: float = FORWARD_ULP, gradient_ulp: float = GRADIENT_ULP
) -> str:
    """Have every layer's result and every weight's gradient move by a few scaled units, by chance and at every step.

    This is Monte Carlo arithmetic (Parker, 1997), layer by layer: what other kernels do, that add in another order.
    Weights nudged once are not like it: it is the many chances for a ReLU or a max-pooling to decide otherwise.

    Args:
        model: in float32, on its device; gets hooks.
        seed: of what is added.
        forward_ulp: most that a layer's result moves.
        gradient_ulp: the same of a weight's gradient.

    Returns:
        What was done.
    """
    weights = list(model.parameters())
    rng = torch.Generator(device=weights[0].device).manual_seed(seed)

    def moved(tensor: torch.Tensor, ulp: float) -> torch.Tensor:
        with torch.no_grad():
            share = torch.rand(tensor.shape, generator=rng, device=tensor.device) * 2 - 1
            change = share * (ulp * torch.finfo(tensor.dtype).eps * tensor.abs().max())
        return tensor + change

    def result_moved(_module: nn.Module, _given: Any, result: Any) -> Any:
        if isinstance(result, torch.Tensor):
            return moved(result, forward_ulp) if result.is_floating_point() else result
        return tuple(result_moved(_module, _given, each) for each in result) if isinstance(result, tuple) else result

    for module in model.modules():
        if next(module.parameters(recurse=False), None) is not None:
            module.register_forward_hook(result_moved)
    for weight in weights:
        if weight.requires_grad:
            weight.register_hook(lambda gradient: moved(gradient, gradient_ulp))  # type: ignore[no-untyped-call]
    return f"every product rounded otherwise, by chance {seed}"
