"""How does training scale on this hardware, can the number be trusted, and would another machine agree?"""

from typing import TYPE_CHECKING, Any

from bench.version import __version__

if TYPE_CHECKING:
    from bench.analysis.result import Estimate, Row, Verdict
    from bench.api import Comparison, Interrupted, Study, compare, load, run, scale
    from bench.errors import BenchError

__all__ = ["BenchError", "Comparison", "Estimate", "Interrupted", "Row", "Study", "Verdict"]
__all__ += ["__version__", "compare", "load", "run", "scale"]


def __getattr__(name: str) -> Any:
    """What is asked for first brings the rest: the command and the ranks, which need none of it, stay light."""
    if name not in __all__:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    homes = {"BenchError": "bench.errors", **dict.fromkeys(("Estimate", "Row", "Verdict"), "bench.analysis.result")}
    return getattr(import_module(homes.get(name, "bench.api")), name)


def __dir__() -> list[str]:
    return __all__
