"""One file per format, found by its name; another distribution brings one by an entry point of `bench.report_formats`.

Each has one function, `render(report: Report) -> Mapping[str, str | bytes]`: what to append to the report's name ->
what stands in the file. The same report always gives the same bytes: no dates but the study's own, no order left to
chance.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from bench import plugins
from bench.errors import UsageError


def names() -> tuple[str, ...]:
    """The formats there are, in alphabetical order."""
    return plugins.names(plugins.REPORT_FORMATS, *_own())


def find(name: str) -> ModuleType:
    """The module of one format.

    Raises:
        UsageError: there is no such format.
        CannotError: it is another distribution's, and broken.
    """
    try:
        return import_module(f"{__name__}.{name}") if name in _own() else _brought(name)
    except LookupError:
        raise UsageError(f"no report format '{name}'", hint=f"there is {', '.join(names())}") from None


def _own() -> tuple[str, ...]:
    return tuple(module.name for module in iter_modules(__path__))


def _brought(name: str) -> ModuleType:
    module: ModuleType = plugins.load(plugins.REPORT_FORMATS, name, "render")
    return module
