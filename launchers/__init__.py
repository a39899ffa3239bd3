"""How processes start, are watched, and end. Imports nothing of `bench` and no torch.

A launcher is one file here, found by name, with one function:

    launch(command: Command, watch: Callable[[list[Beat]], None]) -> Ending
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True, kw_only=True)
class Command:
    """What one launch starts: the same argv in every rank, each with its own environment and cores."""

    argv: tuple[str, ...]
    ranks: int
    folder: Path  # scratch of this launch: heartbeats, logs and the ranks' own results; exists and is empty
    environment: Mapping[str, str]  # the whole of it: nothing is inherited beyond this
    cores: tuple[tuple[int, ...], ...] | None  # CPU ids of each rank; None: not pinned
    timeout_s: float  # the launch is ended after this
    stall_s: float  # and when no rank has made a step for this long


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one launch ended."""

    status: (
        str  # ok, crash, killed, oom_kill, hang, timeout, cancelled; a rank's own verdict (oom_device) passes through
    )
    reason: str | None
    failed_rank: int | None  # who failed first; the others are consequences
    exit_codes: tuple[int | None, ...]  # negative: the signal; None: never started
    duration_s: float
    supervisor_cpu_s: float
    log_tail: str  # last lines of the guilty rank, empty when all is well


def find(name: str) -> ModuleType:
    """The launcher module of that name.

    Raises:
        LookupError: no file of that name here.
    """
    try:
        module = import_module(f"launchers.{name}")
    except ModuleNotFoundError as error:
        raise LookupError(f"no launcher {name!r}") from error
    if not hasattr(module, "launch"):  # the launchers' own helpers live here too
        raise LookupError(f"no launcher {name!r}")
    return module
