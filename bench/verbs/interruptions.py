"""Ctrl-C once ends a study after the launch that is running, twice ends it now; SIGTERM ends it now."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception: nothing on the way may swallow it."""


@contextlib.contextmanager
def listened_for(on_drain: Callable[[], None]) -> Iterator[threading.Event]:
    """Have the first Ctrl-C set what is yielded; a thread that gets no signals, as all but the main one, sees none.

    Args:
        on_drain: called at the first Ctrl-C, so that the user knows what a second one does.

    Raises:
        KeyboardInterrupt: the second Ctrl-C.
        Terminated: SIGTERM. A scheduler kills half a minute after it, which may be less than a launch takes.
    """
    draining = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield draining
        return

    def interrupted(_number: int, _frame: object) -> None:
        if draining.is_set():
            raise KeyboardInterrupt
        draining.set()
        on_drain()

    def terminated(_number: int, _frame: object) -> None:
        raise Terminated

    before = {
        number: signal.signal(number, handler)
        for number, handler in ((signal.SIGINT, interrupted), (signal.SIGTERM, terminated))
    }
    try:
        yield draining
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
