"""Any model by its name: ours, torchvision's, timm's, or a callable of the user's own.

A model of ours is one file here. It decorates a function with `named` and is called
`function(name, input_shape, classes, **options)`; nothing else needs to know of it.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from bench.learn import MISSING, WorkloadError
from bench.learn.catalogue import TIMM, check_model, did_you_mean, suggest
from bench.learn.models.causes import Shape
from bench.learn.models.trial import check_forward
from bench.learn.models.users import from_user
from bench.learn.naming import files, function
from bench.printable import first_line

# In training these two return a tuple with an auxiliary head's output, which is no longer how they are used.
_PLAIN_OUTPUT = {"aux_logits": False, "init_weights": True}
_TORCHVISION_OPTIONS = {"googlenet": _PLAIN_OUTPUT, "inception_v3": _PLAIN_OUTPUT}


def build(name: str, input_shape: Shape, classes: int, options: Mapping[str, Any] | None = None) -> nn.Module:
    """An untrained model on the CPU that takes [batch, *input_shape] and returns [batch, classes].

    A user's own is not tried here: see `trial.first_batch`. Weights are drawn from torch's global generator: seed
    it first. `options` are keyword arguments of a named model.

    Raises:
        WorkloadError: no such model or option, an input shape or class count it cannot take, a user's file that fails.
    """
    check_model(name)
    options = dict(options or {})
    if name in files("models"):
        make = function("models", name)
        _check_options(name, make, options)
        return _made(name, lambda: make(name, input_shape, classes, **options))
    if name.startswith(TIMM) or ":" not in name:
        make = _timm(name, input_shape, classes, options) if ":" in name else _torchvision(name, classes, options)
        model = _made(name, make)
        try:
            check_forward(name, model.eval(), torch.zeros(1, *input_shape, device="meta"), classes)
        except WorkloadError:  # which may be for want of numbers; only the real thing can refuse
            check_forward(name, model, torch.zeros(1, *input_shape), classes)
        model.train()
        return model
    if options:
        raise WorkloadError(f"{name} takes no options.", "Write them into the callable.")
    return from_user(name)


def _check_options(name: str, make: Callable[..., Any], options: Mapping[str, Any]) -> None:
    known = list(inspect.signature(make).parameters)[3:]
    for option in options:
        if option not in known:
            hint = did_you_mean(suggest(option, known), f"It takes: {', '.join(known) or 'none'}.")
            raise WorkloadError(f"{name} has no option {option!r}.", hint)


def _made(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    try:
        return make()
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        why = f"{type(error).__name__}: {first_line(error, '')}"
        raise WorkloadError(
            f"{name} cannot be built: {why}.", "Check its options and the number of classes."
        ) from error


def _torchvision(name: str, classes: int, options: Mapping[str, Any]) -> Callable[[], nn.Module]:
    from torchvision.models import get_model

    arguments = {"weights": None, "num_classes": classes} | _TORCHVISION_OPTIONS.get(name, {}) | dict(options)
    return lambda: get_model(name, **arguments)


def _timm(name: str, input_shape: Shape, classes: int, options: Mapping[str, Any]) -> Callable[[], nn.Module]:
    try:
        import timm
    except ImportError as error:
        raise WorkloadError(f"{name} needs timm: {error}.", 'Install it: pip install "timm>=1.0"', MISSING) from error
    plain = name.removeprefix(TIMM)
    if not timm.is_model(plain):
        raise WorkloadError(
            f"timm has no model {plain!r}.", did_you_mean(suggest(plain, timm.list_models()), "See timm.list_models().")
        )
    arguments = {"pretrained": False, "num_classes": classes, "in_chans": input_shape[0]} | dict(options)
    return lambda: timm.create_model(plain, **arguments)
