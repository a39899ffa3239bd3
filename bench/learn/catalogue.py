"""What can be named, without importing torch: for `bench models`, for suggestions, and for checks before a launch."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bench.learn import MISSING, WorkloadError
from bench.learn.naming import decorated, files

TIMM = "timm:"
FORMS = "a name from `bench models`, timm:NAME, FILE.py:CALLABLE or MODULE:CALLABLE"


@dataclass(frozen=True)
class ModelName:
    """A model that `--model` knows."""

    name: str
    origin: str  # bench or torchvision
    file: Path  # where it is written


@cache
def models() -> list[ModelName]:
    """Our own models, then torchvision's image classifiers; a name that both have is ours."""
    own = [ModelName(name, "bench", file) for name, file in files("models").items()]
    taken = {each.name for each in own}
    return own + [each for each in _torchvision() if each.name not in taken]


def data_names() -> list[str]:
    """The data sets that `--data` knows."""
    return sorted(files("sources"))


def suggest(name: str, among: Iterable[str] | None = None) -> list[str]:
    """Up to three known names that look like this one, best first; `among` defaults to the models."""
    known = [each.name for each in models()] if among is None else list(among)
    return get_close_matches(name.lower(), known, n=3)


def check_model(name: str) -> None:
    """Say before anything is started that a model cannot be had.

    Raises:
        WorkloadError: no such model, no such file, or timm is asked for and missing.
    """
    if name.startswith(TIMM):
        if find_spec("timm") is None:
            raise WorkloadError(
                f"Model {name!r} needs timm, which is not installed.", 'Install it: pip install "timm>=1.0"', MISSING
            )
        return
    place, colon, callable_name = name.rpartition(":")
    if colon:
        if not place or not callable_name:
            raise WorkloadError(f"Model {name!r} is only half a name.", f"Give {FORMS}.")
        if place.endswith(".py") and not Path(place).is_file():
            raise WorkloadError(f"Model {name!r}: there is no file {place}.", "Check the path; it is FILE.py:CALLABLE.")
        return
    if name.endswith(".py"):
        raise WorkloadError(f"Model {name!r} names a file but nothing in it.", f"Add the callable: {name}:CALLABLE")
    if name not in {each.name for each in models()}:
        raise WorkloadError(f"There is no model {name!r}.", _did_you_mean(suggest(name), f"Give {FORMS}."))


def check_data(name: str) -> None:
    """Say before anything is started that there is no such data set.

    Raises:
        WorkloadError: no such data set.
    """
    if name not in data_names():
        raise WorkloadError(
            f"There is no data set {name!r}.",
            _did_you_mean(suggest(name, data_names()), f"There are: {', '.join(data_names())}."),
        )


def _did_you_mean(names: list[str], otherwise: str) -> str:
    return f"Did you mean {' or '.join(names)}?" if names else otherwise


def _torchvision() -> list[ModelName]:
    """Read from the sources of the installed torchvision: importing it takes seconds.

    Only the files directly in `models/`: those are the image classifiers; the sub-packages hold detection,
    segmentation, video, optical flow and quantised models, which want other inputs or other losses.
    """
    spec = find_spec("torchvision")
    folders = [Path(place) / "models" for place in (spec.submodule_search_locations or ())] if spec else []
    return sorted(
        (
            ModelName(name, "torchvision", file)
            for folder in folders
            for file in folder.glob("*.py")
            for name in decorated(file, "register_model")
        ),
        key=lambda each: each.name,
    )
