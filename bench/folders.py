"""The platform's own folders for a user, who may have none: a container's --user, a service, a sandbox."""

import os
from collections.abc import Callable
from pathlib import Path

_NOWHERE = Path(os.devnull) / "bench"  # holds nothing and takes nothing: a cache there is one that is always empty


def of_user(folder: Callable[..., Path]) -> Path:
    """What a function of platformdirs says for `bench`; without a home, a path at which nothing can be."""
    try:
        return folder("bench", appauthor=False)
    except (RuntimeError, KeyError):  # neither HOME nor an entry in passwd, and no XDG variable
        return _NOWHERE


def expanded(given: str) -> Path:
    """A path as a person wrote it; `~` stays as it is where nobody knows what it means."""
    return Path(os.path.expanduser(given))  # noqa: PTH111 - pathlib's raises where there is no home
