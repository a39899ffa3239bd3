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
    passes = 0
    backward = torch.autograd.backward

    def refuse(*_: Any) -> None:
        raise TrainsItselfError("an optimizer makes a step")

    @functools.wraps(backward)
    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal passes
        passes += 1
        if passes > _BACKWARD_MOST:
            raise TrainsItselfError(f"gradients are computed {passes} times")
        return backward(*args, **kwargs)

    hook = register_optimizer_step_pre_hook(refuse)
    _set_backward(counted)
    try:
        yield
    finally:
        _set_backward(backward)
        hook.remove()


def _set_backward(function: Callable[..., Any]) -> None:
    torch.autograd.backward = function  # what Tensor.backward() calls
