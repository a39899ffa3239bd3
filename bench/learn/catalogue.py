"""What can be named, without importing torch: for `bench models`, for suggestions, and for checks before a launch."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bench import plugins
from bench.learn import MISSING, WorkloadError
from bench.learn.naming import decorated, files

TIMM = "timm:"
FORMS = "a name from `bench models`, timm:NAME, FILE.py:CALLABLE or MODULE:CALLABLE"

CROP, FLIP, AFFINE, JITTER, HUE, CUTOUT = "crop", "flip", "affine", "jitter", "hue", "cutout"
AUGMENTATIONS = (CROP, FLIP, AFFINE, JITTER, HUE, CUTOUT)  # in the order in which they are applied

# Word -> the number it has when none is said, and the most it may be; words that are not here take none.
_STRENGTHS = {AFFINE: (0.1, 0.5), JITTER: (0.2, 1.0), HUE: (0.1, 0.5), CUTOUT: (8.0, float("inf"))}


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
    """The data sets that `--data` knows: ours, and those of other distributions."""
    return list(plugins.names(plugins.DATASETS, *files("sources")))


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
            raise WorkloadError(f"Model {name!r}: there is no file {place}.", _near_files(Path(place)))
        return
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise WorkloadError(f"Model {name!r}: there is no file {name}.", _near_files(Path(name)))
        raise WorkloadError(f"Model {name!r} names a file but nothing in it.", which_callable(name))
    if name not in {each.name for each in models()}:
        raise WorkloadError(f"There is no model {name!r}.", did_you_mean(suggest(name), f"Give {FORMS}."))


def is_users(name: str) -> bool:
    """Whether a model is FILE.py:CALLABLE or MODULE:CALLABLE."""
    return ":" in name and not name.startswith(TIMM)


def which_callable(file: str) -> str:
    """How to name what makes the model in a file: its own functions without arguments and its modules; read as text."""
    found = [f"{file}:{each}" for each in _makers(Path(file))]
    return f"Say what makes the model: {' or '.join(found[:4])}" if found else f"Add the callable: {file}:CALLABLE"


def _makers(file: Path) -> list[str]:
    try:
        body = ast.parse(file.read_text()).body
    except (OSError, ValueError, SyntaxError):
        return []
    return [
        each.name
        for each in body
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and not each.name.startswith("_") and _makes_a_model(each)
    ]


def _makes_a_model(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether it can be called without arguments and, of a class, is a module of torch by its bases' names."""
    if isinstance(node, ast.FunctionDef):
        return _required(node.args) == 0
    inits = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    bases = [ast.unparse(each).rpartition(".")[2] for each in node.bases]
    return any(each in {"Module", "Sequential"} for each in bases) and all(_required(each.args) <= 1 for each in inits)


def _required(arguments: ast.arguments) -> int:
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return positional + sum(each is None for each in arguments.kw_defaults)


def _near_files(wanted: Path) -> str:
    beside = [each.name for each in wanted.parent.glob("*.py")] if wanted.parent.is_dir() else []
    near = [str(wanted.with_name(each)) for each in get_close_matches(wanted.name, beside, n=2)]
    return did_you_mean(near, f"It is FILE.py:CALLABLE, from {Path.cwd()}.")


def check_data(name: str) -> None:
    """Say before anything is started that there is no such data set.

    Raises:
        WorkloadError: no such data set.
    """
    if name not in files("sources") and name not in data_names():
        raise WorkloadError(
            f"There is no data set {name!r}.",
            did_you_mean(suggest(name, data_names()), f"There are: {', '.join(data_names())}."),
        )


def did_you_mean(names: list[str], otherwise: str) -> str:
    """A hint: the names that are near, or what else to say."""
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


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """One augmentation, and how strong it is."""

    name: str  # one of AUGMENTATIONS
    strength: float = 0.0  # 0 for those that take no number


def parse_augmentations(words: Sequence[str]) -> tuple[Augmentation, ...]:
    """The augmentations that words ask for, in the order in which they are applied, whatever that of the words.

    Raises:
        WorkloadError: an unknown word, one said twice, or a number that it cannot take.
    """
    found = [_parsed(word) for word in words]
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise WorkloadError(f"The augmentation {twice!r} is there twice.", "Keep one.")
    return tuple(sorted(found, key=lambda each: AUGMENTATIONS.index(each.name)))


def _parsed(word: str) -> Augmentation:
    name, colon, number = word.partition(":")
    if name not in AUGMENTATIONS:
        near = suggest(name, AUGMENTATIONS) or AUGMENTATIONS
        raise WorkloadError(f"There is no augmentation {name!r}.", f"There are: {', '.join(near)}.")
    if name not in _STRENGTHS:
        if colon:
            raise WorkloadError(f"The augmentation {name!r} takes no number.", f"Say {name}.")
        return Augmentation(name=name)
    usual, most = _STRENGTHS[name]
    if not colon:
        return Augmentation(name=name, strength=usual)
    try:
        strength = float(number)
    except ValueError:
        strength = -1.0
    if name == CUTOUT and not (strength.is_integer() and strength >= 1):
        raise WorkloadError(f"{word!r} says no side of a square.", "It is whole pixels, as in cutout:8.")
    if not 0 < strength <= most:
        raise WorkloadError(
            f"{word!r} says no strength.", f"It is above 0 and at most {most:g}, as in {name}:{usual:g}."
        )
    return Augmentation(name=name, strength=strength)
