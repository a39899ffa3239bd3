"""A model from the user's own code: `FILE.py:CALLABLE` or `MODULE:CALLABLE`; of code that gives none, the way out."""

import functools
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from bench.learn import MISSING, USAGE, WorkloadError
from bench.learn.catalogue import did_you_mean, suggest
from bench.learn.models.causes import hint_by_text, in_words, own_line

_TAKEN = ("bench", "launchers")  # packages of ours that are loaded before any code of the user's
_ENVIRON = ("<frozen os>", os.__file__)  # where os.environ has no such name
_BACKWARD_MOST = 8  # passes: some initialise weights from a few; nobody trains in so few


class TrainsItselfError(BaseException):
    """Code that should make a model trains it. No `Exception`: the user's own handlers must not take it for theirs."""


def from_user(name: str) -> nn.Module:
    """Load the code, call the callable without arguments, and return the module it makes.

    Raises:
        WorkloadError: the code or the callable raises or exits, or there is no such callable, or it makes no module.
    """
    place, _, callable_name = name.rpartition(":")
    try:
        with _untrained():
            module = _load(place)
    except (Exception, SystemExit, TrainsItselfError) as error:
        raise _with_collision(_refusal(error, place, callable_name, loading=True), place, error) from error
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
        with _untrained():
            model = make()
    except (Exception, SystemExit, TrainsItselfError) as error:
        raise _with_collision(_refusal(error, place, callable_name, loading=False), place, error) from error
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


@contextmanager
def _untrained() -> Iterator[None]:
    """Raise where an optimizer steps, or gradients are computed again and again."""
    passes, making = 0, True
    originals = {name: getattr(torch.autograd, name) for name in ("backward", "grad")}  # Tensor.backward() calls one

    def refuse(*_: Any) -> None:
        raise TrainsItselfError("an optimizer makes a step")

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def count(*args: Any, **kwargs: Any) -> Any:
            nonlocal passes
            passes += making  # what the user's code imported by name is called on while the model is trained
            if making and passes > _BACKWARD_MOST:
                raise TrainsItselfError(f"gradients are computed {passes} times")
            return original(*args, **kwargs)

        return count

    hook = register_optimizer_step_pre_hook(refuse)
    for name, original in originals.items():
        setattr(torch.autograd, name, counted(original))
    try:
        yield
    finally:
        making = False
        for name, original in originals.items():
            setattr(torch.autograd, name, original)
        hook.remove()


def _refusal(error: BaseException, place: str, callable_name: str, *, loading: bool) -> WorkloadError:
    """An error of the user's module, where that was being imported, or callable, in words."""
    doing = f"while loading {place}" if loading else f"while calling {callable_name}()"
    code = USAGE
    if isinstance(error, TrainsItselfError):
        return WorkloadError(
            f"{own_line(error) or place}: {error} {doing}.",
            "bench trains the model itself: name a callable that only makes and returns it, untrained"
            + (", and put the training under if __name__ == '__main__'." if loading else "."),
        )
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{Path(error.filename).name}:{error.lineno} raised {type(error).__name__}: {error.msg}"
    else:
        where = in_words(error) if own_line(error) else f"{place} raised {in_words(error)}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        code = MISSING if not list(_where_it_lies(error.name, place)) and error.name != place else USAGE
    way_out = next(_ways_out(error, place, callable_name, loading=loading))
    return WorkloadError(f"{where} {doing}.", way_out, code)


def _ways_out(error: BaseException, place: str, callable_name: str, *, loading: bool) -> Iterator[str]:
    """The most particular comes first."""
    text = str(error)
    if isinstance(error, ImportError) and "relative import" in text:
        yield _by_its_package(place, callable_name)
    if isinstance(error, ModuleNotFoundError) and error.name:
        yield _without_module(error.name, place)
    if isinstance(error, KeyError) and traceback.extract_tb(error.__traceback__)[-1].filename in _ENVIRON:
        yield f"The variable is not set in a rank: --env {error.args[0]}=VALUE sets it."
    if isinstance(error, SystemExit):
        yield "It ends the process, as argparse does: take no arguments of the command line where the model is made."
    if isinstance(error, EOFError):
        yield "It asks for input, and a rank has no terminal: give the callable what it asks for."
    if isinstance(error, FileNotFoundError):
        yield f"Paths are looked up from {Path.cwd()}: write them relative to __file__."
    if isinstance(error, TypeError) and f"{callable_name}()" in text and "argument" in text:
        yield f"It is called without arguments: give them defaults, or name another that calls {callable_name}(...)."
    if isinstance(error, Exception) and (found := hint_by_text(error)):
        yield found
    run = f"python {place}" if place.endswith(".py") else f"python -c 'import {place}'"
    yield f"Mend it; {run} shows the same." if loading else "It must take no arguments and return the model."


def _by_its_package(place: str, callable_name: str) -> str:
    """The form that works: through the packages that the file lies in."""
    file = Path(place).resolve()
    top = file.parent
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    if not (file.parent / "__init__.py").is_file() and Path.cwd() in file.parent.parents:
        top = Path.cwd() / file.relative_to(Path.cwd()).parts[0]  # folders without __init__.py are packages too
    if not place.endswith(".py") or top == Path.cwd():
        return "Its folder is no package: leave out the dot, as in `from layers import Block`."
    dotted = ".".join(file.relative_to(top.parent).with_suffix("").parts)
    start = "" if top.parent == Path.cwd() else f"cd {top.parent} and "
    return f"Name it through its package: {start}--model {dotted}:{callable_name}"


def _without_module(missing: str, place: str) -> str:
    if missing == place or place.startswith(f"{missing}."):
        near = Path(*place.split(".")).with_suffix(".py")
        return f"There is no module {missing} in {Path.cwd()}: name it as from here, or as a file ({near}:CALLABLE)."
    for folder in _where_it_lies(missing, place):
        return f"{missing} lies in {folder}: start bench there, or PYTHONPATH={folder} bench ..."
    package = missing.partition(".")[0]
    if find_spec(package) is not None:
        return f"{package} is installed and has no {missing}: another version may."
    return f"{package} is not installed where bench is: {sys.executable} -m pip install {package}"


def _where_it_lies(missing: str, place: str) -> Iterator[Path]:
    """Folders above the user's file, and beside it, that hold a module of that name."""
    name = missing.partition(".")[0]
    start = Path(place).resolve().parent if place.endswith(".py") else Path.cwd()
    for folder in (*[start, *start.parents][:4], *(each for each in (start / "src", start.parent / "src"))):
        if (folder / f"{name}.py").is_file() or (folder / name).is_dir():
            yield folder
