"""The platform's own folders for a user, who may have none: a container's --user, a service, a sandbox."""

import os
from collections.abc import Callable
from pathlib import Path

CONFIGURATION = "bench.toml"  # in the current folder, and in the user's own for configurations
_NOWHERE = Path(os.devnull) / "bench"  # holds nothing and takes nothing: a cache there is one that is always empty


def of_user(folder: Callable[..., Path]) -> Path:
    """What a function of platformdirs says for `bench`; without a home, a path at which nothing can be."""
    try:
        return folder("bench", appauthor=False)
    except (RuntimeError, KeyError):  # neither HOME nor an entry in passwd, and no XDG variable
        return _NOWHERE


def is_configured(cwd: Path) -> bool:
    """Whether a file says anything of settings; reading it takes longer than most verbs do."""
    from platformdirs import user_config_path  # noqa: PLC0415 - help needs click alone

    return any((folder / CONFIGURATION).is_file() for folder in (cwd, of_user(user_config_path)))


def expanded(given: str) -> Path:
    """A path as a person wrote it; `~` stays as it is where nobody knows what it means."""
    return Path(os.path.expanduser(given))  # noqa: PTH111 - pathlib's raises where there is no home
