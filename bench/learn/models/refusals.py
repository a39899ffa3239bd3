"""What is said of a user's code that gives no model: the line it happened in, and the way out of each kind."""

import os
import sys
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from bench.learn import MISSING, USAGE, WorkloadError
from bench.learn.models.building import TrainsItselfError
from bench.learn.models.causes import hint_by_text, in_words, own_line

_ENVIRON = ("<frozen os>", os.__file__)  # where os.environ has no such name


def refusal(error: BaseException, place: str, callable_name: str, *, loading: bool) -> WorkloadError:
    """An error of the user's module or callable, in words.

    Args:
        error: what it raised.
        place: file or module, as it was named.
        callable_name: as it was named.
        loading: the module was being imported; else the callable ran.
    """
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
