"""The canary operations: small, fixed, and each sensitive to another part of how a machine computes.

Their inputs come from a counter and an integer mix, not from torch's generators: every machine has the same bits to
begin with, so that what differs is the operation. Shapes are chosen so that threads, vector widths and kernel choices
show: sums longer than a thread's share, products with a long inner dimension, sizes that no vector width divides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench import devices

_WORD = np.uint64
_SEED = 20260101


@dataclass(frozen=True, kw_only=True)
class Canary:
    """One operation on fixed inputs.

    `run` takes the inputs on the device under test. Run on the same inputs in float64, it gives the reference.
    """

    shapes: tuple[tuple[int, ...], ...]
    run: Callable[..., torch.Tensor]
    dtype: torch.dtype = torch.float32
    positive: bool = False  # inputs in (0, 1] instead of [-1, 1): roots and quotients


def integers(count: int, stream: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Well mixed 64-bit words: the finaliser of splitmix64 (Steele, Lea and Flood, 2014) over a counter.

    Args:
        count: how many.
        stream: another one gives other words.
    """
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is what is meant
        step = _WORD(0x9E3779B97F4A7C15)
        words = (np.arange(1, count + 1, dtype=_WORD) + _WORD(stream) * _WORD(2**32) + _WORD(_SEED)) * step
        words = (words ^ (words >> _WORD(30))) * _WORD(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> _WORD(27))) * _WORD(0x94D049BB133111EB)
    return words ^ (words >> _WORD(31))


def inputs(canary: Canary) -> list[torch.Tensor]:
    """The canary's inputs on the CPU: multiples of 2^-23 in [-1, 1), rounded to its type."""
    made = []
    for stream, shape in enumerate(canary.shapes):
        count = int(np.prod(shape))
        top = (integers(count, stream) >> _WORD(40)).astype(np.int64)  # 24 bits: exact in float32
        values = (top + 1) * 2.0**-24 if canary.positive else (top - 2**23) * 2.0**-23
        made.append(torch.from_numpy(values.astype(np.float32).reshape(shape)).to(canary.dtype))
    return made


def _gradient(of: int, forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The gradient of `forward` with respect to one input; the last input is the gradient that comes from above.

    It comes from the sum of a product, which is exact. Handed to autograd instead it would be the same bits, but torch
    then imports sympy to look at its shape, in 0.35 s: most of what the canaries took.
    """

    def run(*given: torch.Tensor) -> torch.Tensor:
        *arguments, above = given
        asked = arguments[of] = arguments[of].detach().requires_grad_()
        return torch.autograd.grad((forward(*arguments) * above).sum(), asked)[0]

    return run


def _conv(images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(images, weight, padding=1)


def _conv_nhwc(images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return _conv(images.contiguous(memory_format=torch.channels_last), weight).contiguous()


def _batch_norm(images: torch.Tensor) -> torch.Tensor:
    return functional.batch_norm(images, None, None, training=True)


def _in_tf32(run: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The same with products in TF32, where the device has it."""

    def rounded(*given: torch.Tensor) -> torch.Tensor:
        devices.set_float32_precision("tf32")
        try:
            return run(*given)
        finally:
            devices.set_float32_precision("fp32")

    return rounded


def _at_rows(values: torch.Tensor, rows: int) -> torch.Tensor:
    """As many row numbers as there are values, with many repeats: what is added to one row must be put in an order."""
    return torch.from_numpy((integers(len(values), 7) % _WORD(rows)).astype(np.int64)).to(values.device)


def _index_add(values: torch.Tensor) -> torch.Tensor:
    return torch.zeros(7, values.shape[1], dtype=values.dtype, device=values.device).index_add_(
        0, _at_rows(values, 7), values
    )


def _scatter_add(values: torch.Tensor) -> torch.Tensor:
    rows = _at_rows(values, 7)[:, None].expand_as(values)
    return torch.zeros(7, values.shape[1], dtype=values.dtype, device=values.device).scatter_add_(0, rows, values)


def _subnormal(values: torch.Tensor) -> torch.Tensor:
    """Numbers below the smallest normal one, and what comes of them: zeros where one of the two is flushed.

    Any library that was linked with -ffast-math switches that on for the thread that loads it.
    """
    small = values * 2.0**-130
    return torch.cat([small, small * 2.0**60])


_IMAGES, _WEIGHT = (8, 16, 28, 28), (32, 16, 3, 3)
_ABOVE = (8, 32, 28, 28)
_MANY = (1_000_003,)
_SOME = (65_537,)

EVERYWHERE: Mapping[str, Canary] = {
    "mm": Canary(shapes=((256, 256), (256, 256)), run=torch.mm),
    "mm_k4096": Canary(shapes=((32, 4096), (4096, 32)), run=torch.mm),
    "mm_bf16": Canary(shapes=((256, 256), (256, 256)), run=torch.mm, dtype=torch.bfloat16),
    "mv": Canary(shapes=((509, 1021), (1021,)), run=torch.mv),
    "bmm": Canary(shapes=((8, 64, 72), (8, 72, 64)), run=torch.bmm),
    "linear": Canary(shapes=((64, 784), (120, 784), (120,)), run=functional.linear),
    "conv": Canary(shapes=(_IMAGES, _WEIGHT), run=_conv),
    "conv_dx": Canary(shapes=(_IMAGES, _WEIGHT, _ABOVE), run=_gradient(0, _conv)),
    "conv_dw": Canary(shapes=(_IMAGES, _WEIGHT, _ABOVE), run=_gradient(1, _conv)),
    "conv_nhwc": Canary(shapes=(_IMAGES, _WEIGHT), run=_conv_nhwc),
    "conv_bf16": Canary(shapes=(_IMAGES, _WEIGHT), run=_conv, dtype=torch.bfloat16),
    "sum_1m": Canary(shapes=(_MANY,), run=torch.sum),
    "mean_dim": Canary(shapes=((257, 1021),), run=lambda x: x.mean(dim=1)),
    "cumsum": Canary(shapes=(_SOME,), run=lambda x: x.cumsum(0)),
    "exp": Canary(shapes=(_SOME,), run=torch.exp),
    "tanh": Canary(shapes=(_SOME,), run=torch.tanh),
    "erf": Canary(shapes=(_SOME,), run=torch.erf),
    "sin": Canary(shapes=(_SOME,), run=torch.sin),
    "sigmoid": Canary(shapes=(_SOME,), run=torch.sigmoid),
    "sqrt_div": Canary(shapes=(_SOME, _SOME), run=lambda x, y: x.sqrt() / y, positive=True),
    "softmax": Canary(shapes=((257, 1021),), run=lambda x: x.softmax(dim=1)),
    "cross_entropy": Canary(shapes=((257, 101),), run=lambda x: functional.cross_entropy(x, _at_rows(x, 101))),
    "layer_norm": Canary(shapes=((257, 768),), run=lambda x: functional.layer_norm(x, (768,))),
    "batch_norm": Canary(shapes=(_IMAGES,), run=_batch_norm),
    "batch_norm_dx": Canary(shapes=(_IMAGES, _IMAGES), run=_gradient(0, _batch_norm)),
    "subnormal": Canary(shapes=(_SOME,), run=_subnormal),
    "avg_pool": Canary(shapes=(_IMAGES,), run=lambda x: functional.avg_pool2d(x, 3)),
}

# Sums in an order that the hardware chooses, products in TF32, attention's own kernels: of interest on accelerators.
ACCELERATORS: Mapping[str, Canary] = {
    "index_add": Canary(shapes=((4099, 33),), run=_index_add),
    "scatter_add": Canary(shapes=((4099, 33),), run=_scatter_add),
    "mm_tf32": Canary(shapes=((256, 256), (256, 256)), run=_in_tf32(torch.mm)),
    "conv_tf32": Canary(shapes=(_IMAGES, _WEIGHT), run=_in_tf32(_conv_nhwc)),
    "sdpa": Canary(shapes=((2, 4, 65, 32),) * 3, run=functional.scaled_dot_product_attention),
}


# Seeded alike on every machine: the generator is what is looked at.
RANDOM: Mapping[str, Callable[[torch.device], torch.Tensor]] = {
    "randn": lambda device: torch.randn(10_007, device=device),
    "rand": lambda device: torch.rand(10_007, device=device),
    "randperm": lambda device: torch.randperm(10_007, device=device),
    "dropout": lambda device: functional.dropout(torch.ones(10_007, device=device), 0.1),
    "linear_init": lambda device: nn.Linear(784, 120, device=device).weight.detach(),
}
SEED = 20_26
