"""One file an export format, found by its name.

Each has one function, `render(report: Report) -> Mapping[str, str | bytes]`: what to append to the report's name ->
what stands in the file. The same report always gives the same bytes: no dates but the study's own, no order left to
chance.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from bench.errors import UsageError


def names() -> tuple[str, ...]:
    """The formats there are, in alphabetical order."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))


def find(name: str) -> ModuleType:
    """The module of one format.

    Raises:
        UsageError: there is no such format.
    """
    if name not in names():
        raise UsageError(f"no report format '{name}'", hint=f"there is {', '.join(names())}")
    return import_module(f"{__name__}.{name}")
