"""What a forward pass computes in: a model may choose types and threads within it, and leave no trace at its ends."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.learn.copying import aside, copy_of
from bench.worker.train import Trainer

_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "linear")
_KINDS = ("convolution", "scaled_dot_product", "_rnn", "lstm", "gru")  # with many names


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation after autocast has chosen its types."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtypes: set[str] = set()  # of products of matrices, convolutions and attention
        self.threads: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.threads.add(torch.get_num_threads())
        name = func.overloadpacket.__name__
        if name in _PRODUCTS or any(kind in name for kind in _KINDS):
            tensors = [each for each in args if isinstance(each, Tensor) and each.is_floating_point()]
            self.dtypes.update(str(each.dtype).removeprefix("torch.") for each in tensors)
        return func(*args, **(kwargs or {}))


def look_into(trainer: Trainer, unwrapped: nn.Module, images: Tensor) -> Seen:
    """One forward pass of a copy, as training makes it.

    Raises:
        NotCopiedError: there is no copy.
    """
    copied, seen = copy_of(unwrapped).train(), Seen()
    with aside(images.device), trainer.autocast(), seen:
        copied(images.clone())
    return seen
