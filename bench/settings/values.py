"""The kinds of values that a setting may have: how text becomes one, and what is said of text that is none."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

import launchers
from bench import ddp, folders, plan, plugins
from launchers.environment import PLANNED

_UNIT_S = {"": 1, "s": 1, "m": 60, "h": 3600}


# What other programs call a device. Nothing in the letters of "gpu" leads to cuda, and "cpu" is one letter away.
_SYNONYMS = {"gpu": ("cuda", "mps"), "nvidia": ("cuda",), "rocm": ("cuda",), "hip": ("cuda",), "metal": ("mps",)}


def suggestion(word: str, known: Iterable[str]) -> str:
    """A sentence that names the closest known words; empty when none is close."""
    known, plain = list(known), word.lower().partition(":")[0]  # cuda:0
    close = [each for each in _SYNONYMS.get(plain, ()) if each in known] or get_close_matches(plain, known, n=3)
    return f" Did you mean {', '.join(close)}?" if close else ""


def one_of(*known: str) -> AfterValidator:
    def check(word: str) -> str:
        if word not in known:
            raise ValueError(f"is none of {', '.join(known)}.{suggestion(word, known)}")
        return word

    return AfterValidator(check)


def launcher(word: str) -> str:
    if word not in launchers.names():
        known = plugins.names(plugins.LAUNCHERS, *launchers.names())
        if word not in known:
            raise ValueError(f"is none of {', '.join(known)}.{suggestion(word, known)}")
    return word


def _items(value: Any) -> Any:
    """`1,2,4` and `[1, 2, 4]` and a lone value are one thing: a tuple. `none` is the empty one."""
    if isinstance(value, str):
        return () if value == "none" else tuple(part.strip() for part in value.split(","))
    return tuple(value) if isinstance(value, list) else value if isinstance(value, tuple) else (value,)


def _numbers_of(
    value: Any, kind: Callable[[str], float], meant: str, *, least: float, how_many: int = 0
) -> tuple[Any, ...]:
    """Numbers of one kind, from a list or from text."""
    try:
        found = tuple(kind(part) if isinstance(part, str) else part for part in _items(value))
    except ValueError:
        found = ()
    kinds = {int, kind}  # a whole number is any, a switch is none
    if len(found) != (how_many or len(found) or 1) or any(type(each) not in kinds or each < least for each in found):
        raise ValueError(f"should be {meant}")
    return found


def counts(value: Any) -> tuple[int, ...]:
    return _numbers_of(value, int, "whole numbers from 1, as in 1,2,4", least=1)


def ranks(value: Any) -> tuple[int, ...] | str:
    try:
        return "auto" if value == "auto" else counts(value)
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from None


def shape(value: Any) -> tuple[int, int, int]:
    channels, height, width = _numbers_of(value, int, "channels, height and width, as in 3,32,32", least=1, how_many=3)
    return channels, height, width


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, _numbers_of(value, float, "numbers from 0, as in [0.5, 1]", least=0)))


def betas(value: Any) -> tuple[float, float]:
    numbers = _numbers(value)
    if len(numbers) != 2 or max(numbers) >= 1:
        raise ValueError("should be two numbers below 1, as in [0.9, 0.999]")
    return numbers[0], numbers[1]


def _duration_s(value: Any) -> float:
    parsed = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
    if isinstance(value, bool) or not parsed or float(parsed[1]) == 0:
        raise ValueError("should be a length of time, as in 90s, 10m or 1h")
    return float(parsed[1]) * _UNIT_S[parsed[2]]


_CHECKPOINT = re.compile(r"best|last(:[1-9]\d*)?|every:[1-9]\d*")


def checkpoint(word: str) -> str:
    if not _CHECKPOINT.fullmatch(word):
        raise ValueError(f"is none of last, last:K, best and every:K.{suggestion(word, ('last', 'best', 'every:'))}")
    return word


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(=.*)?", re.DOTALL)


def variable(word: str) -> str:
    if not _VARIABLE.fullmatch(word):
        raise ValueError("should be the name of a variable, or NAME=VALUE")
    if (name := word.partition("=")[0]) in PLANNED:
        raise ValueError(f"cannot be passed: {name} is set by the plan and the launcher, in each rank")
    return word


def _expanded(folder: str) -> str:
    return str(folders.expanded(folder))


def seeds(value: Any) -> tuple[int, ...]:
    meant = "different whole numbers from 0, as in 1,2,3"
    seeds: tuple[int, ...] = _numbers_of(value, int, meant, least=0)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"should be {meant}")
    return seeds


def targets(targets: dict[str, float]) -> dict[str, float]:
    for name, value in targets.items():
        if name not in plan.TARGETS:
            raise ValueError(f"'{name}' is no target: {', '.join(plan.TARGETS)}.{suggestion(name, plan.TARGETS)}")
        if value <= 0 or (value > 1 and name != "validation_loss"):
            raise ValueError(f"'{name}' is a share from 0 to 1, as in 0.7 for 70 %")
    return targets


Items = BeforeValidator(_items)
DdpOptions = Annotated[str, AfterValidator(ddp.canonical)]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Folder = Annotated[Text, AfterValidator(_expanded)]
Share = Annotated[float, Field(ge=0, lt=1)]
Numbers = Annotated[tuple[float, ...], PlainValidator(_numbers)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FromZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Duration = Annotated[float, PlainValidator(_duration_s)]
