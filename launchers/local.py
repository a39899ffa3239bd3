"""The local launcher: a supervisor on this host, and all the ranks with it."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from launchers import LEAD, Command, LaunchEnd, Request
from launchers.heartbeat import Beat
from launchers.processes import LocalRankPool, NodeSpec
from launchers.supervise import supervise
from launchers.watchdog import Patience

__all__ = ["Patience", "launch", "open", "role", "script"]

# The loopback needs no name service and no route.
_LOOPBACK_NAMES = {"darwin": "lo0"}


def role(environ: Mapping[str, str]) -> str:  # noqa: ARG001 - every launcher is asked alike
    """This process leads: there is nobody else."""
    return LEAD


def script(words: tuple[str, ...], request: Request) -> str:  # noqa: ARG001
    """Nothing is submitted."""
    return ""


def open(request: Request | None = None) -> "Local":  # noqa: A001, ARG001 - every launcher is opened alike
    """Who starts launches on this host."""
    return Local()


@dataclass(frozen=True)
class Local:
    """Starts launches on this host."""

    def launch(self, command: Command, watch: Callable[[list[Beat]], None]) -> LaunchEnd:
        return launch(command, watch)

    def close(self) -> None:
        """Nobody waits."""


def launch(command: Command, watch: Callable[[list[Beat]], None], patience: Patience | None = None) -> LaunchEnd:
    """Run a launch on this host to its end; see `launchers.supervise.supervise`."""
    spec = NodeSpec(
        command=command,
        cores=command.cores,
        settings={"GLOO_SOCKET_IFNAME": _LOOPBACK_NAMES.get(sys.platform, "lo")},
    )
    return supervise(LocalRankPool(spec), command, watch, patience)
