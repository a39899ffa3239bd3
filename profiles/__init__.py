"""Data: what to run, and what is known about hardware. A profile is one TOML file here, found by its name."""

import tomllib
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any


def names() -> list[str]:
    """Every profile there is."""
    return sorted(Path(each.name).stem for each in files(__name__).iterdir() if each.name.endswith(".toml"))


def path(name: str) -> Path:
    """The file of a profile.

    Raises:
        LookupError: no profile of that name.
    """
    if name not in names():
        raise LookupError(f"no profile {name!r}")
    with as_file(files(__name__) / f"{name}.toml") as file:
        return file


def read(name: str) -> dict[str, Any]:
    """What a profile says, as TOML says it.

    Raises:
        LookupError: no profile of that name.
    """
    return tomllib.loads(path(name).read_text(encoding="utf-8"))


def hardware_peaks() -> dict[str, Any]:
    """Published peak operations per second of known chips, each with its source: `hardware/peaks.toml` as it stands."""
    return tomllib.loads((files(__name__) / "hardware" / "peaks.toml").read_text(encoding="utf-8"))
