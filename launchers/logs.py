"""The ends of logs: enough for a person to see what happened, whatever their length."""

import os
from pathlib import Path

_LINES = 15
_BYTES = 16_384


def end(log: Path) -> str:
    """The last few kilobytes; empty where there is nothing to read."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def tail(log: Path) -> str:
    """The last lines."""
    return "\n".join(end(log).splitlines()[-_LINES:])
