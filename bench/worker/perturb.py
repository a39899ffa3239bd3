"""Perturbations of a rehearsal that change nothing but rounding: they show how far rounding alone drives a run."""

import torch
from torch import nn

# What another kind of device does to a product, in scaled units in the last place. An H100's convolution was 5 from a
# CPU's in float32, and both are some 4 from float64; sums as long as those of a weight's gradient, up to 21. Narrower
# types add in float32 and round once.
_FORWARD_ULP, _GRADIENT_ULP, _NARROW_ULP = 8.0, 16.0, 1.0


def nudge(model: nn.Module, seed: int) -> str:
    """Move every weight by one unit in the last place, up or down by chance; returns what was done.

    One weight would be diluted by all the others, where another kernel rounds every one of them.
    """
    dice = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if weight.is_floating_point():
            up = torch.rand(weight.shape, generator=dice) < 0.5
            towards = torch.where(up, torch.inf, -torch.inf).to(weight.dtype)
            with torch.no_grad():
                weight.copy_(torch.nextafter(weight, towards))
    return f"one unit in the last place of every weight, by chance {seed}"


def round_otherwise(model: nn.Module, seed: int) -> str:
    """Have every layer's result and every gradient move by a few scaled units, by chance and at every step.

    This is Monte Carlo arithmetic (Parker, 1997), layer by layer: what other kernels do, that add in another order.
    Weights nudged once are not like it: it is the many chances for a ReLU or a max-pooling to decide otherwise.

    Args:
        model: on its device; gets hooks.
        seed: of what is added.

    Returns:
        What was done.
    """
    weights = list(model.parameters())
    dice = torch.Generator(device=weights[0].device).manual_seed(seed)

    def moved(tensor: torch.Tensor, ulp: float) -> torch.Tensor:
        with torch.no_grad():
            units = ulp if tensor.dtype == torch.float32 else _NARROW_ULP
            share = torch.rand(tensor.shape, generator=dice, device=tensor.device) * 2 - 1
            change = share * (units * torch.finfo(tensor.dtype).eps * tensor.abs().max())
        return tensor + change.to(tensor.dtype)

    for module in model.modules():
        if not any(module.children()) and any(True for _ in module.parameters()):
            module.register_forward_hook(
                lambda _module, _given, result: (
                    moved(result, _FORWARD_ULP) if isinstance(result, torch.Tensor) else result
                )
            )
    for weight in weights:
        if weight.requires_grad:
            weight.register_hook(lambda gradient: moved(gradient, _GRADIENT_ULP))  # type: ignore[no-untyped-call]
    return f"every product rounded otherwise, by chance {seed}"
