"""What each layer of a model costs in one forward pass, counted from the shapes that go through it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd
from torch.utils.flop_counter import FlopCounterMode

CONV, LINEAR, NORM, POOL, OTHER = "conv", "linear", "norm", "pool", "other"
OUTSIDE = "(outside of layers)"  # matrix products that no layer's module makes, as of attention

_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer: a module with parameters of its own, or one that computes."""

    name: str
    kind: str  # conv, linear, norm, pool or other
    params: int  # trainable
    macs: int  # multiply-accumulates of one sample's forward pass


def layer_costs(model: nn.Module, images: Tensor) -> list[LayerCost]:
    """Every layer in the order in which data first comes to it. The model is as it was afterwards.

    A convolution and a linear layer make one multiply-accumulate for each weight that an output value needs, and one
    for its bias; a normalisation two for each value (scale, shift), an average pooling two for each output value (sum,
    division); activations count as nothing. So counts the tool behind the published 556,652,554 of ResNet-18 at
    3x32x32 (the counter of Microsoft's NNI, after THOP), and so do the reports that quote such numbers. Of these the
    matrix products alone are what `torch.utils.flop_counter` counts, two operations each; what it finds beyond the
    layers is a layer of its own, `(outside of layers)`.

    Args:
        model: without a wrapper.
        images: a batch of inputs on the model's device; any size.
    """
    macs: dict[str, int] = {}
    products = 0
    samples = len(images)

    def counted(name: str, module: nn.Module) -> None:
        def hook(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            nonlocal products
            if isinstance(output, Tensor) and inputs and isinstance(inputs[0], Tensor):
                all_macs, weighted = _macs(module, inputs[0], output)
                macs[name] = macs.get(name, 0) + all_macs // samples
                products += weighted // samples

        hooks.append(module.register_forward_hook(hook))

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    modules = {name: each for name, each in model.named_modules() if name and _is_layer(each)}
    was_training, fast = model.training, torch.backends.mha.get_fastpath_enabled()
    model.eval()
    torch.backends.mha.set_fastpath_enabled(value=False)  # one operator for a whole encoder layer: nobody counts it
    try:
        for name, module in modules.items():
            counted(name, module)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
        torch.backends.mha.set_fastpath_enabled(value=fast)
        model.train(was_training)
    layers = [
        LayerCost(name=name, kind=_kind(modules[name]), params=_params(modules[name]), macs=count)
        for name, count in macs.items()
        if count or _params(modules[name])
    ]
    rest = counter.get_total_flops() // 2 // samples - products
    return [*layers, *[LayerCost(name=OUTSIDE, kind=OTHER, params=0, macs=rest)] * (rest > 0)]


def _is_layer(module: nn.Module) -> bool:
    return not list(module.children()) or bool(_params(module))


def _params(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters(recurse=False) if each.requires_grad)


def _kind(module: nn.Module) -> str:
    if isinstance(module, _ConvNd):
        return CONV
    if isinstance(module, nn.Linear):
        return LINEAR
    if isinstance(module, _NORMS):
        return NORM
    return POOL if isinstance(module, _AvgPoolNd | _AdaptiveAvgPoolNd) else OTHER


def _macs(module: nn.Module, given: Tensor, output: Tensor) -> tuple[int, int]:
    """All of a module's, and those among them that are matrix products."""
    out = output.numel()
    if isinstance(module, _ConvNd | nn.Linear):
        # A transposed convolution spreads each value that it is given; the others gather each value that they give.
        values = given.numel() if isinstance(module, _ConvTransposeNd) else out
        weighted = values * module.weight[0].numel()
        return weighted + out * (module.bias is not None), weighted
    return (2 * out if _kind(module) in {NORM, POOL} else 0), 0
