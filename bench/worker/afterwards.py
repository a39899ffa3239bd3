"""What is found out once the window is over: one thing after the other, with a limit, and no number is lost to it."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bench.worker import bootstrap
from bench.worker.agreement import in_words
from bench.worker.job import RankResult

_LIMIT_S = 60.0


class Afterwards:
    """A rank's result, on disk from the start, and what is still to be added to it.

    The user's model runs in here once more, and may raise, hang in a collective or take the process with it: whatever
    happens, what was measured is on disk, and what is missing has a reason.
    """

    def __init__(self, result: RankResult, save: Callable[[RankResult], None]) -> None:
        self.result = result
        self._save = save
        self._lock = threading.Lock()
        save(self.result)

    def find(self, *, limit_s: float = _LIMIT_S, **looked_for: Callable[[], Any]) -> None:
        """Add what is looked for, by the name of the result's field, or why it could not be found.

        What is no field of the result (`group=leave`) is only done, and told of where it fails.
        """
        for name, look in looked_for.items():
            self._find(name, look, limit_s)

    def _find(self, name: str, look: Callable[[], Any], limit_s: float) -> None:
        before = self.result
        self._save(_without(before, name, "the rank ended while it was looked for"))
        with self._limited(name, limit_s):
            try:
                found = look()
                self.result = replace(before, **{name: found}) if hasattr(before, name) else before
            except Exception as error:  # noqa: BLE001 - the model is the user's
                self.result = _without(before, name, in_words(error))
        self._save(self.result)

    @contextmanager
    def _limited(self, name: str, limit_s: float) -> Iterator[None]:
        timer = threading.Timer(limit_s, self._give_up, (name, limit_s))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            self._lock.acquire()  # not while it gives up: that ends the process
            timer.cancel()
            self._lock.release()

    def _give_up(self, name: str, limit_s: float) -> None:
        """End this rank, as one that has done its work: nothing else gets it out of a collective that never ends."""
        with self._lock:
            self._save(_without(self.result, name, f"not found out within {limit_s:.0f} s"))
            bootstrap.flush()
            os._exit(0)


def _without(result: RankResult, name: str, why: str) -> RankResult:
    return replace(result, unavailable={**result.unavailable, name: why})
