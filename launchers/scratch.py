"""A folder of this host for one launch, cleared away afterwards, if need be by whoever comes next.

The kernel lets go of a lock however its holder ended: a folder that nobody holds belongs to an agent that was killed.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "bench-node-"
_NEW_S = 60.0  # a folder is made before it is held


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in the system's place for such, for as long as the block lasts."""
    clear_away()
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        held = os.open(name, os.O_RDONLY)
        try:
            with suppress(OSError):  # a file system without locks: then nobody else clears away, either
                fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(held)


def clear_away() -> None:
    """Remove what agents that were killed have left; another user's is not ours to remove."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if left.stat().st_uid != os.getuid() or time.time() - left.stat().st_mtime < _NEW_S:
                continue
            held = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises when its agent lives
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
