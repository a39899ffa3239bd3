"""What other distributions bring under a name, by the entry points of four groups; see docs/extending.md.

Our own names come first and need none of this: looking through the metadata of everything that is installed takes
longer than `bench --help` does. Therefore whoever asks here has looked among our own before.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.errors import CannotError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

EXPORTERS, REPORT_FORMATS = "bench.exporters", "bench.report_formats"
LAUNCHERS, DATASETS = "bench.launchers", "bench.datasets"

_OURS = ("bench", "launchers", "reports")
_loaded: dict[str, tuple[str, str]] = {}  # top-level package -> the distribution that brought it, and its version


def names(group: str, *own: str) -> tuple[str, ...]:
    """Every name of a kind, in alphabetical order: ours, and what is installed beside us; nothing is imported."""
    return tuple(sorted({*own, *(each.name for each in _entry_points(group))}))


def load(group: str, name: str, *needed: str) -> Any:
    """What stands behind a name that is none of ours.

    Args:
        group: one of the four.
        name: as it was asked for.
        needed: attributes that it must have.

    Raises:
        LookupError: nothing that is installed brings it.
        UsageError: several distributions do.
        CannotError: it cannot be imported, or is not of this kind; the message names its distribution.
    """
    found = [each for each in _entry_points(group) if each.name == name]
    if not found:
        raise LookupError(name)
    if len(found) > 1:
        brought = " and ".join(" ".join(_distribution(each)) for each in found)
        raise UsageError(f"{brought} both bring {name!r} ({group})", "uninstall one of them")
    distribution = _distribution(found[0])
    _loaded[found[0].module.partition(".")[0]] = distribution
    try:
        loaded = found[0].load()
    except Exception as error:
        raise _broken(found[0], f"cannot be loaded: {type(error).__name__}: {error}") from error
    if lacking := [each for each in needed if not hasattr(loaded, each)]:
        raise _broken(found[0], f"has no {', '.join(lacking)}, as {group} must; see docs/extending.md")
    return loaded


def used() -> dict[str, str]:
    """Distributions that this process has loaded something of, with their versions."""
    return dict(_loaded.values())


def blamed(error: BaseException) -> str:
    """The distribution in whose code an error was raised, as in "bench-faces 1.0"; empty when it was in ours.

    What either of us calls is on the caller's account.
    """
    whose, trace = "", error.__traceback__
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in _loaded or package in _OURS:
            whose = " ".join(_loaded.get(package, ()))
        trace = trace.tb_next
    return whose


def _entry_points(group: str) -> "Sequence[EntryPoint]":
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    return tuple(entry_points(group=group))


def _distribution(entry: "EntryPoint") -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist is not None else (entry.value, "")


def _broken(entry: "EntryPoint", why: str) -> CannotError:
    name, version = _distribution(entry)
    return CannotError(f"{entry.name!r} of {name} {version} {why}"[:400], f"mend or renew it: pip install -U {name}")
