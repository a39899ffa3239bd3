"""How does training scale on this hardware, can the number be trusted, and would another machine agree?"""

from typing import TYPE_CHECKING, Any

from bench.version import __version__

if TYPE_CHECKING:
    from bench.api import (
        BenchError,
        Comparison,
        Estimate,
        Interrupted,
        Row,
        Study,
        Verdict,
        compare,
        load,
        run,
        scale,
    )

__all__ = [
    "BenchError",
    "Comparison",
    "Estimate",
    "Interrupted",
    "Row",
    "Study",
    "Verdict",
    "__version__",
    "compare",
    "load",
    "run",
    "scale",
]


def __getattr__(name: str) -> Any:
    """What is asked for first brings the rest: the command and the ranks, which need none of it, stay light."""
    if name not in __all__:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module("bench.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
