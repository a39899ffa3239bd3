"""A model from the user's own code: `FILE.py:CALLABLE` or `MODULE:CALLABLE`."""

import re
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from torch import nn

from bench.learn import WorkloadError
from bench.learn.catalogue import did_you_mean, suggest
from bench.learn.models.building import TrainsItselfError, untrained
from bench.learn.models.refusals import refusal

_TAKEN = ("bench", "launchers")  # packages of ours that are loaded before any code of the user's


def from_user(name: str) -> nn.Module:
    """Load the code, call the callable without arguments, and return the module it makes.

    Raises:
        WorkloadError: the code or the callable raises or exits, or there is no such callable, or it makes no module.
    """
    place, _, callable_name = name.rpartition(":")
    try:
        with untrained():
            module = _load(place)
    except (Exception, SystemExit, TrainsItselfError) as error:
        raise _with_collision(refusal(error, place, callable_name, loading=True), place, error) from error
    make = getattr(module, callable_name, None)
    if isinstance(make, nn.Module):
        raise WorkloadError(
            f"{name} is a {type(make).__name__}, not a callable that makes one.",
            f"Every rank makes its own: def build(): return {type(make).__name__}(...)",
        )
    if not callable(make):
        own = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise WorkloadError(
            f"{place} has no callable {callable_name!r}.",
            did_you_mean(suggest(callable_name, own), f"It has: {', '.join(own[:5]) or 'none'}."),
        )
    try:
        with untrained():
            model = make()
    except (Exception, SystemExit, TrainsItselfError) as error:
        raise _with_collision(refusal(error, place, callable_name, loading=False), place, error) from error
    if not isinstance(model, nn.Module):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise WorkloadError(f"{name} returned {what}, not a torch.nn.Module.", "Return the model itself, untrained.")
    return model


def _load(place: str) -> ModuleType:
    """Import the file or module as `python FILE` or `python -m MODULE` would: its folder comes first on sys.path.

    So a fork of a library that lies beside the file is what the file imports.
    """
    if not place.endswith(".py"):
        _put_first(Path.cwd())
        return import_module(place)
    file = Path(place).expanduser().absolute()
    _put_first(file.resolve().parent)
    name = _module_name(file.stem)
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be loaded as Python")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up
    spec.loader.exec_module(module)
    return module


def _with_collision(refused: WorkloadError, place: str, error: BaseException) -> WorkloadError:
    """The refusal; where a name is missing and a package of the user's is called like one that runs here, with that."""
    folder = Path(place).expanduser().resolve().parent if place.endswith(".py") else Path.cwd()
    taken = [name for name in _TAKEN if (folder / name).is_dir() or (folder / f"{name}.py").is_file()]
    if not taken or not isinstance(error, ImportError | AttributeError):
        return refused
    hint = f"If it imports {taken[0]}: that is bench's own package here, so rename the one beside it. {refused.hint}"
    return WorkloadError(refused.message, hint.strip(), refused.exit_code)


def _module_name(stem: str) -> str:
    """The file's own, so that its classes can be pickled and its neighbours import it; unless that name is taken.

    A file called random.py must not become the module `random`.
    """
    taken = stem in sys.modules or stem in sys.stdlib_module_names or not stem.isidentifier()
    return re.sub(r"\W", "_", f"bench_user_{stem}") if taken else stem


def _put_first(folder: Path) -> None:
    sys.path[:] = [str(folder), *(place for place in sys.path if place != str(folder))]
