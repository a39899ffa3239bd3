"""While a user's callable makes the model: a training that begins in it is refused at once, not after hours."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

_BACKWARD_MOST = 8  # passes: some initialise weights from a few; nobody trains in so few


class TrainsItselfError(BaseException):
    """Code that should make a model trains it. No `Exception`: the user's own handlers must not take it for theirs."""


@contextmanager
def untrained() -> Iterator[None]:
    """Raise where an optimizer steps, or gradients are computed again and again.

    Raises:
        TrainsItselfError: in the user's own line.
    """
    passes, making = 0, True
    originals = {name: getattr(torch.autograd, name) for name in ("backward", "grad")}  # Tensor.backward() calls one

    def refuse(*_: Any) -> None:
        raise TrainsItselfError("an optimizer makes a step")

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def count(*args: Any, **kwargs: Any) -> Any:
            nonlocal passes
            passes += making  # what the user's code imported by name is called on while the model is trained
            if making and passes > _BACKWARD_MOST:
                raise TrainsItselfError(f"gradients are computed {passes} times")
            return original(*args, **kwargs)

        return count

    hook = register_optimizer_step_pre_hook(refuse)
    for name, original in originals.items():
        setattr(torch.autograd, name, counted(original))
    try:
        yield
    finally:
        making = False
        for name, original in originals.items():
            setattr(torch.autograd, name, original)
        hook.remove()
