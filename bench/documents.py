"""Nouns back from the plain JSON types that `asdict` and `json` made of them. Standard library only."""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import cache, partial
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

N = TypeVar("N")
Revive = Callable[[Any], Any]


def noun_of(kind: type[N], document: Mapping[str, Any]) -> N:
    """A dataclass from its document, by its type hints: lists are tuples again, texts are whole keys, and so on within.

    Values are taken as they are, and neither converted nor checked: a 2 that stands for a length of 2.0 s stays a 2, so
    that what was read is written as it was. What the document lacks, as an older bench did not know it, takes its
    default.

    Raises:
        TypeError: it is no such document: it lacks a field without a default, or has one that nobody knows.
        ValueError: a key is no whole number.
    """
    if not isinstance(document, Mapping):
        raise TypeError(f"no document of a {kind.__name__}: {type(document).__name__}")
    changed = _of_fields(cast("Any", kind))
    return kind(**{**document, **{name: changed[name](document[name]) for name in changed if name in document}})


@cache
def _of_fields(kind: Any) -> Mapping[str, Revive]:
    """How the fields are read whose values JSON has changed."""
    found = {name: _of_hint(hint) for name, hint in get_type_hints(kind).items()}
    return {name: revive for name, revive in found.items() if revive is not None}


def _of_hint(hint: Any) -> Revive | None:
    """How a value of this type is read; None: as it is."""
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(noun_of, hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        known = next(filter(None, map(_of_hint, arguments)), None)
        return partial(_unless_none, known) if known is not None else None
    values = [each for each in arguments if each is not ...]
    each = _of_hint(values[-1]) if values else None
    if origin is tuple:
        return tuple if each is None else lambda values: tuple(map(each, values))
    if origin is list and each is not None:
        return lambda values: list(map(each, values))
    if origin is Mapping and (arguments[0] is int or each is not None):
        key, revive = arguments[0], each or (lambda value: value)
        return lambda values: {key(name): revive(value) for name, value in dict(values).items()}
    return None


def _unless_none(revive: Revive, value: Any) -> Any:
    return None if value is None else revive(value)
