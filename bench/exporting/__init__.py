"""A finished study for other programs' eyes: read from the store, written as files or into a tracker's own store.

One way, after the run, without a network. One file in `targets/` is one target, found by its name; another
distribution brings one by an entry point of `bench.exporters`. It has

- `NEEDS`: what it imports that `bench` does not bring, as module -> requirement;
- `write(record: Record, folder: Path, progress: Callable[[str], None]) -> list[Path]`: writes the study below `folder`,
  reports each part it has done, and returns what a person would open. Written again it changes nothing, and a study
  that has grown takes its own place;
- `opened(record: Record, folder: Path) -> str`: what to do with it next, a sentence or a command.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

from bench import plugins
from bench.errors import CannotError, UsageError
from bench.exporting import targets

_HAS = ("NEEDS", "write", "opened")


def names() -> tuple[str, ...]:
    """The targets there are, in alphabetical order."""
    return plugins.names(plugins.EXPORTERS, *_own())


def find(name: str) -> ModuleType:
    """The module of one target, whose libraries are there.

    Raises:
        UsageError: there is no such target.
        CannotError: a library that it needs is not installed, or it is another distribution's and broken.
    """
    try:
        own = f"{targets.__name__}.{name}" if name in _own() else None
        module: ModuleType = import_module(own) if own else plugins.load(plugins.EXPORTERS, name, *_HAS)
    except LookupError:
        close = get_close_matches(name, names(), n=1)
        meant = f". Did you mean {close[0]}?" if close else ""
        raise UsageError(f"nothing is exported to '{name}'{meant}", hint=f"there is {', '.join(names())}") from None
    needs: Mapping[str, str] = module.NEEDS
    absent = [library for library in needs if find_spec(library) is None]
    if absent:
        quoted = " ".join(f'"{requirement}"' for requirement in needs.values())
        raise CannotError(f"--to {name} needs {', '.join(absent)}, which is not installed", f"pip install {quoted}")
    return module


def _own() -> tuple[str, ...]:
    return tuple(module.name for module in iter_modules(targets.__path__))
