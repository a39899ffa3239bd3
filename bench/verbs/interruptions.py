"""Ctrl-C once ends a study after the launch that is running, twice ends it now; SIGTERM ends it now."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.errors import INTERRUPTED


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception: nothing on the way may swallow it."""


@dataclass
class Interruptions:
    """What the user, or a scheduler, has asked for so far."""

    draining: bool = False

    @property
    def code(self) -> int | None:
        """The exit code that follows; None when nobody asked for anything."""
        return INTERRUPTED if self.draining else None


@contextlib.contextmanager
def listened_for(on_drain: Callable[[], None]) -> Iterator[Interruptions]:
    """Have signals noted while a study runs; in a thread that gets none (Python hands them to the main one) nothing.

    Args:
        on_drain: called at the first Ctrl-C, so that the user knows what a second one does.

    Raises:
        KeyboardInterrupt: the second Ctrl-C.
        Terminated: SIGTERM. A scheduler kills half a minute after it, which may be less than a launch takes.
    """
    asked = Interruptions()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def interrupted(_number: int, _frame: object) -> None:
        if asked.draining:
            raise KeyboardInterrupt
        asked.draining = True
        on_drain()

    def terminated(_number: int, _frame: object) -> None:
        raise Terminated

    before = {
        number: signal.signal(number, handler)
        for number, handler in ((signal.SIGINT, interrupted), (signal.SIGTERM, terminated))
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
