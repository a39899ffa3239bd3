"""What a supervisor knows of the processes of a launch, wherever they run."""

import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from launchers.heartbeat import Beat


@dataclass(frozen=True, kw_only=True)
class Death:
    """A rank that ended by itself or by somebody else's hand."""

    rank: int
    code: int | None  # negative: the signal; None: its host is lost, and nobody knows
    seen_ns: int  # monotonic clock of the supervisor
    node: int = 0
    seen_on_host_ns: int | None = None  # the same moment on the clock of its host; None: that is the supervisor's
    oom_killed: bool = False  # its host's kernel killed for want of memory since the launch began
    lost: str | None = None  # why its host is given up


class RankPool(Protocol):
    """All ranks of a launch. Whatever happens after `start`, call `end`."""

    @property
    def living(self) -> list[int]:
        """Ranks that have started and not been seen to end."""

    @property
    def codes(self) -> tuple[int | None, ...]:
        """Exit code of each rank, negative for a signal; None: never started, cannot be ended, or out of sight."""

    def start(self) -> None:
        """Start every rank.

        Raises:
            StartError: a rank cannot be started.
        """

    def wait(self, timeout_s: float) -> list[Death]:
        """Block until ranks die, at most this long; returns those that did, the first seen first."""

    def beats(self) -> list[Beat]:
        """The last sign of life of every rank."""

    def states(self, ranks: Collection[int]) -> dict[int, str]:
        """What the kernel says of living ranks: R running, S waiting, T stopped, D waiting inside the kernel."""

    def signal(self, ranks: Collection[int], number: signal.Signals) -> None:
        """Signal living ranks."""

    def end(self, polite_s: float) -> list[int]:
        """End everything: SIGTERM to the ranks, then SIGKILL to their process groups.

        Returns the ranks that even SIGKILL did not end, because they wait inside the kernel.
        """


class StartError(OSError):
    """A rank cannot be started."""

    def __init__(self, rank: int, why: object) -> None:
        super().__init__(f"rank {rank} could not be started: {why}")
        self.rank, self.why = rank, str(why)


def wait_for_all(pool: RankPool, timeout_s: float) -> list[Death]:
    """Block until every rank has ended, at most this long; returns those that did."""
    until_s = time.monotonic() + timeout_s
    deaths: list[Death] = []
    while pool.living and (left_s := until_s - time.monotonic()) > 0:
        deaths += pool.wait(left_s)
    return deaths
