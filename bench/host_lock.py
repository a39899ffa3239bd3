"""One study at a time measures on a host: a second would slow the first, unevenly and unseen.

The lock is a file in the system's temporary folder, locked by the kernel: it is free once its holder has ended, however
it ended. It is for all users of the host; what it says of the holder is a process number and a time.
"""

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.errors import CannotError
from bench.plan import SHARED_HOST

FILE = "bench-measuring.lock"
_LOOK_EVERY_S = 0.5


@contextlib.contextmanager
def held(
    when_busy: str, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> Iterator[str | None]:
    """Hold the host's lock while measuring; yields a warning when it is shared with another study.

    Args:
        when_busy: refuse, wait or share: what to do when another study is measuring here.
        tell: takes a line when there is something to wait for.
        sleep: between two looks while waiting.

    Raises:
        CannotError: another study is measuring, and `when_busy` is refuse.
    """
    handle = _opened(Path(tempfile.gettempdir()) / FILE)
    if handle is None:  # a temporary folder that cannot be written: nobody can hold a lock there
        yield None
        return
    try:
        warning = None
        if not _taken(handle):
            holder = _holder(handle)
            if when_busy == "refuse":
                raise CannotError(
                    f"another study is measuring on this host ({holder}); both would be slowed, unevenly",
                    "wait for it: --when-busy wait; or measure beside it, which every row will say: --when-busy share",
                )
            if when_busy == "share":
                warning = SHARED_HOST
            else:
                tell(f"Waiting for another study on this host ({holder}) …")
                while not _taken(handle):
                    sleep(_LOOK_EVERY_S)
        if warning is None:
            told = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
            with contextlib.suppress(OSError):  # another user's file, opened for reading: held all the same
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps(told).encode(), 0)
        yield warning
    finally:
        os.close(handle)


def is_held() -> bool:
    """Whether a study measures on this host now."""
    try:
        with held("refuse", lambda _: None):
            return False
    except CannotError:
        return True


def _opened(path: Path) -> int | None:
    """The lock's file, whoever made it; not inherited by what this process starts."""
    for flags in (os.O_RDWR, os.O_RDONLY, os.O_RDWR | os.O_CREAT):  # last: a sticky folder forbids it on others' files
        try:
            handle = os.open(path, flags, 0o666)
        except OSError:
            continue
        with contextlib.suppress(OSError):
            os.fchmod(handle, 0o666)  # whatever the umask: it is for all users
        return handle
    return None


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _holder(handle: int) -> str:
    try:
        told = json.loads(os.pread(handle, 1000, 0))
        return f"process {told['pid']}, since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process is not known"
