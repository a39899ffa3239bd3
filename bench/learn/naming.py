"""How a new file in `models/` or `sources/` is found by the names it gives itself, without importing it."""

import ast
import inspect
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def named(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a function the names that people ask for it by; they must be literals, because they are read as text."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.names = names  # type: ignore[attr-defined]
        return function

    return mark


def decorated(file: Path, decorator: str) -> dict[str, tuple[str, ...]]:
    """The functions of a source file that carry a decorator call, each with the call's literal text arguments.

    Reads the text only: importing every model to learn its name would cost seconds.
    """
    found = {}
    functions = (each for each in ast.parse(file.read_bytes()).body if isinstance(each, ast.FunctionDef))
    for node in functions:
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == decorator:
                literals = (each.value for each in call.args if isinstance(each, ast.Constant))
                found[node.name] = tuple(each for each in literals if isinstance(each, str))
    return found


@cache
def files(kind: str) -> dict[str, Path]:
    """Name -> the file that answers to it, for `kind` "models" or "sources", in order of files.

    Raises:
        ValueError: two files claim one name.
    """
    found: dict[str, Path] = {}
    for file in sorted((HERE / kind).glob("*.py")):
        for names in decorated(file, named.__name__).values():
            for name in names:
                if name in found:
                    raise ValueError(f"{file.name} and {found[name].name} both claim the name {name!r}")
                found[name] = file
    return found


def function(kind: str, name: str) -> Callable[..., Any]:
    """The function of that name; imports its file, and no other.

    Raises:
        KeyError: no file answers to the name.
    """
    module = import_module(f"bench.learn.{kind}.{files(kind)[name].stem}")
    # Functions only: a class that the module imports may have `names` of its own, as torch.Tensor has in torch 2.11.
    functions = (each for each in vars(module).values() if inspect.isfunction(each))
    answering: Callable[..., Any] = next(each for each in functions if name in getattr(each, "names", ()))
    return answering
