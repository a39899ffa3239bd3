"""Something to try a model on: a copy of it, and random numbers given back, so that the training never knows."""

import copy
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from types import FunctionType, MethodType

import torch
from torch import Tensor, nn

from bench.learn import rng
from bench.printable import first_line


class NotCopiedError(Exception):
    """Why a model has no copy: a part of a sentence, in one line."""


def copy_of(model: nn.Module) -> nn.Module:
    """A model with the same weights, buffers and attributes on the same device, that shares none of them.

    Raises:
        NotCopiedError: it holds what cannot be copied (a lock, an open file), or its copy would share its weights or
            call its layers (a lambda that was made with `self`).
    """
    # What a pre-forward hook has computed (weight_norm's weight) is no leaf, which tensors refuse to copy.
    computed = {
        id(each): each.detach().clone()
        for module in model.modules()
        for each in vars(module).values()
        if isinstance(each, Tensor) and not each.is_leaf
    }
    try:
        copied = copy.deepcopy(model, computed)
    except Exception as error:
        why = f"{type(error).__name__}: {first_line(error, '')}"
        raise NotCopiedError(f"the model cannot be copied ({why})") from error
    if not isinstance(copied, nn.Module) or _tensors(model) & _tensors(copied):
        raise NotCopiedError("a copy of the model would share its weights")
    originals = _tensors(model) | {id(each) for each in model.modules()}
    if any(id(each) in originals for each in _held(copied)):
        raise NotCopiedError("a copy of the model would call the model itself: through a function or a weak reference")
    return copied


def _held(model: nn.Module) -> Iterator[object]:
    """What a model's attributes lead to; functions, which are never copied, bring what they were made with."""
    waiting: list[object] = [model]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, nn.Module | dict):
            waiting += (each if isinstance(each, dict) else vars(each)).values()
        elif isinstance(each, list | tuple | set):
            waiting += each
        elif isinstance(each, weakref.ref):
            waiting.append(each())
        elif isinstance(each, partial):
            waiting += (each.func, *each.args, *each.keywords.values())
        elif isinstance(each, MethodType):
            waiting += (each.__self__, each.__func__)
        elif isinstance(each, FunctionType):
            waiting += (*(each.__defaults__ or ()), *_enclosed(each))


def _enclosed(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # a name that has no value yet
            yield cell.cell_contents


def _tensors(model: nn.Module) -> set[int]:
    return {id(each) for each in (*model.parameters(), *model.buffers())}


@contextmanager
def aside(device: torch.device) -> Iterator[None]:
    """Where a copy is tried: random numbers are given back, nothing is compiled, nothing refused for not repeating.

    A compiler remembers by the code, not by the model: of a batch of another size that a copy has seen, it makes the
    model's own compiled code wide enough for any.
    """
    compiler = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        with compiler, random_numbers_kept(device):
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


@contextmanager
def random_numbers_kept(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside, from any generator that a seed reaches, was not drawn for those who follow."""
    before = rng.state(device)
    try:
        yield
    finally:
        rng.restore(before, device)
