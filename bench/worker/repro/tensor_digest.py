"""What a repro run writes down of tensors: the bits as a hash, and some numbers. Never inside a timed window."""

import hashlib
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from bench.repro.capsule import FORWARD, LOCAL, SAMPLE, Fact
from bench.worker.afterwards import raw_bytes

_STRIDE = 2_654_435_761  # a prime (Knuth's, of multiplicative hashing): its multiples visit every place once


def digest(tensor: Tensor) -> str:
    """BLAKE2b over dtype, shape and little-endian bytes in row-major order, NaN payloads included."""
    raw = raw_bytes(tensor)
    if sys.byteorder == "big":
        raw = raw.view(-1, tensor.element_size()).flip(1).contiguous()
    bits = hashlib.blake2b(f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)} ".encode(), digest_size=16)
    bits.update(raw.numpy().data)
    return bits.hexdigest()


def places(count: int, most: int) -> np.ndarray:
    """Which elements of `count` are kept: all, or `most` of them, the same ones on every machine."""
    return np.arange(count) if count <= most else np.sort(np.arange(most, dtype=np.int64) * _STRIDE % count)


def fact(stage: str, step: int, name: str, tensor: Tensor, *, kind: str = "", most: int = SAMPLE) -> Fact:
    """Write down one tensor."""
    sample, largest, total = None, None, None
    if tensor.is_floating_point():
        flat = tensor.detach().cpu().contiguous().reshape(-1).float()
        sample = flat[torch.from_numpy(places(len(flat), most))].numpy().copy()
        top = float(flat.abs().max()) if len(flat) else 0.0
        largest, total = (top, float(flat.double().sum())) if math.isfinite(top) else (None, None)
    return Fact(
        stage=stage,
        step=step,
        tensor=name,
        hash=digest(tensor),
        kind=kind,
        count=tensor.numel(),
        largest=largest,
        total=total,
        sample=sample,
    )


def parameters(stage: str, step: int, model: nn.Module, most: int) -> list[Fact]:
    """All parameters, and with the weights the running statistics, in the model's own order."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return [fact(stage, step, name, each, most=most) for name, each in named]


def gradients(stage: str, model: nn.Module, most: int) -> list[Fact]:
    """The gradients of step 0, the last layer's first, as the backward pass comes to them."""
    named = [(name, each.grad) for name, each in model.named_parameters() if each.grad is not None]
    return [fact(stage, 0, name, gradient, most=most) for name, gradient in reversed(named)]


@contextmanager
def watched(model: nn.Module, note: Callable[[Fact], None], most: int) -> Iterator[None]:
    """Note every module's output, and every parameter's gradient before the ranks reduce it, while this lasts."""
    calls: Counter[str] = Counter()

    def forward(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                calls[name] += 1
                called = name if calls[name] == 1 else f"{name}#{calls[name]}"
                note(fact(FORWARD, 0, called, output, kind=type(module).__name__, most=most))

        return hook

    def backward(name: str) -> Callable[[Tensor], None]:
        # A hook on the parameter itself: it is given the whole local gradient, before anybody adds or reduces it.
        return lambda gradient: note(fact(LOCAL, 0, name, gradient, most=most))

    hooks = [each.register_forward_hook(forward(name)) for name, each in model.named_modules() if name]
    hooks += [
        each.register_hook(backward(name))  # type: ignore[no-untyped-call]
        for name, each in model.named_parameters()
        if each.requires_grad
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
