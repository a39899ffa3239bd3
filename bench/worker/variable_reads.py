"""Which variables, set in the user's shell and not passed to ranks, somebody looks for here all the same. No torch."""

import os
import sys
from collections.abc import Collection
from pathlib import Path
from types import FrameType
from typing import Any

from bench.worker.source import is_standard, is_users
from launchers.environment import NOT_PASSED

# They look for dozens of names in case somebody set one, and mean nothing by it.
_ALWAYS_LOOKING = ("torch", "torchvision", "numpy", "PIL", "triton", "bench", "launchers", "matplotlib", "__main__")
_ON_BEHALF = ("os", "_collections_abc", "collections.abc", "posixpath")  # of whoever called them

_missing: dict[str, str] = {}  # variable -> who looked for it first


class _Listening(os._Environ):  # type: ignore[type-arg]  # noqa: SLF001 - every reference to os.environ must be reached
    """`os.environ` that remembers who asked for a name which was left out; get, in, getenv and pop all come here."""

    names: Collection[str] = frozenset()

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            if key in self.names and key not in _missing and (reader := _reader(sys._getframe(1))):  # noqa: SLF001
                _missing[key] = reader
            raise


def listen() -> None:
    """From now on, look at what is asked of `os.environ`; costs nothing where a variable is set."""
    names = os.environ.get(NOT_PASSED, "")
    _Listening.names = frozenset(filter(None, names.split(",")))
    os.environ.__class__ = _Listening


def warnings() -> list[str]:
    """What to say beside a number: `net.py reads NET_WIDTH, which is set in your shell and not passed`."""
    return [
        f"{reader} reads {name}, which is set in your shell and not passed: --env {name} passes it"
        for name, reader in sorted(_missing.items())
    ]


def _reader(frame: FrameType | None) -> str | None:
    """Who asked: a user's file, or a package; None for the standard library itself, and for what always looks."""
    while frame is not None and frame.f_globals.get("__name__") in _ON_BEHALF:
        frame = frame.f_back
    file = frame.f_code.co_filename if frame is not None else ""
    if frame is None or is_standard(file):
        return None
    if is_users(file):
        return Path(file).name
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return None if package in _ALWAYS_LOOKING else package
