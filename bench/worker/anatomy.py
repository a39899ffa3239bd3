"""A look into the layers while they learn: costs, gradients, updates, and pictures of what they see.

It stands between the steps, so a launch that has it times nothing. It changes nothing either: the weights end with the
bits that they have without it, and what is shown to the model for a count or a picture is shown to a copy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd
from torch.utils.flop_counter import FlopCounterMode

from bench.learn import WorkloadError
from bench.learn.copying import NotCopiedError, aside, copy_of
from bench.measured import MeasuredLayer
from bench.worker.job import Job
from bench.worker.session import Session

_CHANNELS, _COLUMNS = 64, 8  # of a picture, at most
_SIDE = 32  # pixels of one channel, at least
_GAP = 2
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


@dataclass(kw_only=True)
class Anatomy:
    """Of one rank's model. All ranks look, so that none waits for another; rank 0 tells."""

    model: nn.Module  # without its wrapper
    every: int  # steps
    pictures: Path | None  # folder; None: draw none
    image: Tensor  # [1, channels, height, width], normalised, on the device
    epoch: int = 0  # that is under way; told by whoever trains
    results: list[MeasuredLayer] = field(default_factory=list)
    _step: int = field(default=0, init=False)
    _hooks: list[Any] = field(default_factory=list, init=False)
    _before: dict[str, tuple[float, float, float, list[Tensor]]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        with aside(self.image.device):
            self.costs = layer_costs(copy_of(self.model), self.image)
        self._modules = dict(self.model.named_modules())

    def begin(self, optimizer: torch.optim.Optimizer) -> None:
        """Look at every so many-th step of this optimizer from now on, the first among them."""
        self._draw("before")
        self._hooks = [
            optimizer.register_step_pre_hook(lambda each, *_: self._look(each)),
            optimizer.register_step_post_hook(lambda *_: self._note()),
        ]

    def end(self) -> list[MeasuredLayer]:
        """Look no more; returns a row for each layer and each step that was looked at."""
        for hook in self._hooks:
            hook.remove()
        self._draw("after")
        return self.results

    @torch.no_grad()
    def _look(self, optimizer: torch.optim.Optimizer) -> None:
        """Before a step: the gradients as the optimizer gets them, after clipping and without the scaler's factor."""
        if self._step % self.every:
            return
        scale = getattr(optimizer, "grad_scale", None)
        factor = 1.0 if scale is None else float(scale)
        for cost, weights in self._trained():
            gradients = [each.grad for each in weights if each.grad is not None]
            zeros = sum(int((each == 0).sum()) for each in gradients)
            zeros += sum(each.numel() for each in weights if each.grad is None)
            self._before[cost.name] = (
                _norm(gradients) / factor,
                zeros / sum(each.numel() for each in weights),
                _norm(weights),
                [each.detach().clone() for each in weights],
            )

    @torch.no_grad()
    def _note(self) -> None:
        """After a step: how far it has moved the weights."""
        if self._step % self.every == 0:
            for position, cost in enumerate(self.costs):
                gradient, zeros, norm, old = self._before.get(cost.name, (None, None, None, []))
                moved = [new - before for new, before in zip(self._weights(cost), old, strict=True)] if old else []
                self.results.append(
                    MeasuredLayer(
                        epoch=self.epoch,
                        step=self._step,
                        layer=cost.name,
                        position=position,
                        kind=cost.kind,
                        params=cost.params,
                        macs=cost.macs,
                        gradient_norm=gradient,
                        gradient_zeros=zeros,
                        weight_norm=norm,
                        update_norm=_norm(moved) if old else None,
                    )
                )
            self._before.clear()
        self._step += 1

    def _trained(self) -> Iterator[tuple[LayerCost, list[nn.Parameter]]]:
        for cost in self.costs:
            if weights := self._weights(cost):
                yield cost, weights

    def _weights(self, cost: LayerCost) -> list[nn.Parameter]:
        module = self._modules.get(cost.name)
        own = module.parameters(recurse=False) if module is not None else ()
        return [each for each in own if each.requires_grad]

    @torch.no_grad()
    def _draw(self, when: str) -> None:
        """A picture of the first convolution's output for one image, and of each stage's."""
        if self.pictures is None:
            return
        seen: dict[str, Tensor] = {}
        copied = copy_of(self.model).eval()

        def watch(name: str) -> None:
            copied.get_submodule(name).register_forward_hook(lambda _, __, output: seen.setdefault(name, output))

        for name in _stages(copied):
            watch(name)
        with aside(self.image.device):
            copied(self.image)
        self.pictures.mkdir(parents=True, exist_ok=True)
        for name, output in seen.items():
            if output.dim() == 4:
                grid(output[0].float().cpu()).save(self.pictures / f"{name.replace('.', '-')}-{when}.png")


def of(job: Job, session: Session) -> Anatomy | None:
    """A launch's anatomy, begun; None where none was asked for.

    Raises:
        WorkloadError: the model cannot be copied.
    """
    if job.keep.anatomy is None:
        return None
    image = next(iter(session.batches))[0][:1].clone()
    pictures = Path(job.pictures) if job.pictures is not None and session.world.group.rank == 0 else None
    try:
        anatomy = Anatomy(model=session.unwrapped, every=job.keep.anatomy, pictures=pictures, image=image)
        anatomy.begin(session.trainer.optimizer)
    except NotCopiedError as error:
        raise WorkloadError(f"The layers are looked into on a copy, and {error}.", "Leave out --anatomy.") from error
    return anatomy


def grid(channels: Tensor) -> Image.Image:
    """Up to 64 channels [channels, height, width] side by side in grey, each from its least (black) to its greatest."""
    channels = channels[:_CHANNELS]
    low, high = channels.amin((1, 2), keepdim=True), channels.amax((1, 2), keepdim=True)
    grey = ((channels - low) / (high - low).clamp_min(1e-12) * 255).nan_to_num(0, 255, 0).to(torch.uint8)
    zoom = max(1, -(-_SIDE // max(grey.shape[1:])))
    height, width = (side * zoom for side in grey.shape[1:])
    columns = min(_COLUMNS, len(grey))
    rows = -(-len(grey) // columns)
    sheet = Image.new("L", (columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP), 128)
    for number, each in enumerate(grey):
        tile = Image.fromarray(each.numpy()).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(tile, (number % columns * (width + _GAP), number // columns * (height + _GAP)))
    return sheet


def _stages(model: nn.Module) -> list[str]:
    """The first convolution, and the model's own parts that hold convolutions, as layer1, layer2."""
    convolutions = [name for name, each in model.named_modules() if isinstance(each, nn.Conv2d)]
    place, top = "", model
    while len(children := dict(top.named_children())) == 1:  # a model within a model
        (name, top), *_ = children.items()
        place = f"{place}{name}."
    stages = [
        f"{place}{name}" for name, each in children.items() if any(isinstance(one, nn.Conv2d) for one in each.modules())
    ]
    return list(dict.fromkeys([*convolutions[:1], *stages]))


def _norm(tensors: list[Any]) -> float:
    """The L2 norm of all of them together."""
    norms = [torch.linalg.vector_norm(each.float()) for each in tensors]
    return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0


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
