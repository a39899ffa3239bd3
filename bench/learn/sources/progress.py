"""How far something is, told now and then; silent when it takes no longer than a moment."""

import time

from bench.learn.sources.source import Tell

_EVERY_S = 2.0


class SlowWork:
    """Of one piece of work."""

    def __init__(self, tell: Tell, what: str) -> None:
        self._tell, self._what, self._last = tell, what, time.monotonic()

    def at(self, done: int, of: int | None = None) -> None:
        """So many are done; says so when the last word is older than two seconds."""
        if time.monotonic() - self._last > _EVERY_S:
            self._last = time.monotonic()
            self._tell(f"{self._what}: {f'{done / of:.0%}' if of else f'{done:,} so far'}")
