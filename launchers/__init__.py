"""How processes start, are watched, and end. Imports nothing of `bench` and no torch.

A launcher is one file here, found by name (or another distribution's module, by an entry point of `bench.launchers`),
with

    role(environ) -> str                 what this process is to do: LEAD the study, FOLLOW a leader, or SUBMIT it
    open(request) -> Launcher            for who leads
    script(words, request) -> str        what a dry run prints: the exact text that would be submitted; "" on one host

and, where `role` can say so, `follow() -> int` and `submit(words, request, folder) -> Submitted`.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from launchers.heartbeat import Beat

LEAD, FOLLOW, SUBMIT = "lead", "follow", "submit"


@dataclass(frozen=True, kw_only=True)
class Command:
    """What one launch starts: the same argv in every rank."""

    argv: tuple[str, ...]  # another host puts its own interpreter in place of the first word
    ranks: int  # of all nodes, which have equally many
    nodes: int = 1
    folder: Path  # scratch of this launch: heartbeats, logs and the ranks' own results; holds only what ranks are given
    environment: Mapping[str, str]  # what the launch sets; each host adds what may pass of its own (`environment`)
    cores: tuple[tuple[int, ...], ...] | None  # CPU ids of each rank, on one host; None: not pinned
    cores_per_rank: int | None = None  # for other hosts, which have CPU ids of their own; None: not pinned
    cores_shared: bool = False  # ranks may overlap on another host that has fewer
    timeout_s: float  # the launch is ended after this
    stall_s: float  # and when no rank has made a step for this long

    @property
    def ranks_per_node(self) -> int:
        return self.ranks // self.nodes


@dataclass(frozen=True, kw_only=True)
class LaunchEnd:
    """How one launch ended."""

    status: str  # ok, crash, killed, oom_kill, hang, timeout, cancelled, lost; a rank's own (oom_device) passes through
    reason: str | None
    failed_rank: int | None  # who failed first; the others are consequences
    exit_codes: tuple[int | None, ...]  # negative: the signal; None: never started, or on a host that is lost
    duration_s: float
    supervisor_cpu_s: float | None  # None: nobody was left to tell
    log_tail: str  # last lines of the guilty rank, empty when all is well


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a launcher beyond one host is asked for."""

    name: str  # of the study, as a job's name and a rendezvous' id
    nodes: int  # the most of any row
    ranks_per_node: int
    cores_per_rank: int | None  # None: not said
    gpus_per_node: int  # 0 on CPUs
    options: Mapping[str, Any] = field(default_factory=dict)  # the site's own, of bench.toml


class Launcher(Protocol):
    """Who starts launches, one after the other."""

    def launch(self, command: Command, watch: Callable[[list[Beat]], None]) -> LaunchEnd:
        """Run a launch to its end and say how it ended; afterwards none of its processes is left."""

    def close(self) -> None:
        """The study is over: let everybody else go."""


class Submitted(Protocol):
    """A study that somebody else's queue runs."""

    name: str  # what the queue calls it

    def state(self) -> str:
        """What the queue says of it, in its own words; empty once it is over."""

    def drain(self) -> None:
        """Have it end after the launch that is running."""

    def cancel(self) -> None:
        """Have it end now."""

    def log_tail(self) -> str:
        """The last lines that it wrote."""


def module_argv(name: str, *arguments: str) -> tuple[str, ...]:
    """The argv that runs a module of ours: by this interpreter, and in the packages that belong to it.

    With -P, and by the name of the distribution: neither the current folder nor PYTHONPATH can put a `bench`,
    `launchers` or `reports` of the user's in place of ours.
    """
    return (sys.executable, "-P", "-m", "scaling_bench.module", name, *arguments)


def bench_argv(*words: str) -> tuple[str, ...]:
    """The argv that runs `bench` itself; see `module_argv`."""
    return (sys.executable, "-P", "-m", "scaling_bench", *words)


def names() -> tuple[str, ...]:
    """The launchers there are; the helpers that live here too open nothing."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple(file.stem for file in files if "\ndef open(" in file.read_text(encoding="utf-8"))


def find(name: str) -> ModuleType:
    """The launcher module of that name.

    Raises:
        LookupError: no file of that name here.
    """
    try:
        module = import_module(f"launchers.{name}")
    except ModuleNotFoundError as error:
        raise LookupError(f"no launcher {name!r}") from error
    if not hasattr(module, "open"):  # the launchers' own helpers live here too
        raise LookupError(f"no launcher {name!r}")
    return module
