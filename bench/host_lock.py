"""One study at a time measures on a host: a second would slow the first, unevenly and unseen.

No single place is shared by all who share a host: a batch job or a service has a temporary folder of its own, a
container its own mounts or its own network. So the lock is held in every place that may be shared, and a study that is
met in any of them is met; ranks that are seen running are met too. All of it is free once its holder has ended, however
it ended. It is for all users of the host; what it says of the holder is a process number and a time.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.errors import CannotError
from bench.plan import SHARED_HOST

FILE = "bench-measuring.lock"
_FOLDERS = ("/dev/shm", "/run/lock", "/tmp", "/var/tmp")  # noqa: S108 - a lock, for all users; nothing is read from it
_SOCKET = "\0bench-measuring"  # abstract: of a network namespace, whatever is mounted; Linux
_LOOK_EVERY_S = 0.5
_HOSTS_PIDS = 0xEFFFFFFC  # inode of the first pid namespace, the same on every Linux


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
    with contextlib.ExitStack() as ours:
        warning, holder = None, _met(ours)
        if holder is not None and when_busy == "refuse":
            raise CannotError(
                f"another study is measuring on this host ({holder}); both would be slowed, unevenly",
                "wait for it: --when-busy wait; or measure beside it, which every row will say: --when-busy share",
            )
        if holder is not None and when_busy == "share":
            warning = SHARED_HOST
        elif holder is not None:
            tell(f"Waiting for another study on this host ({holder}) …")
            while holder is not None:
                ours.close()  # of two that wait, neither keeps a part from the other
                sleep(_LOOK_EVERY_S)
                holder = _met(ours)
        yield warning


def is_held() -> bool:
    """Whether a study measures on this host now."""
    try:
        with held("refuse", lambda _: None):
            return False
    except CannotError:
        return True


def unseen() -> str | None:
    """Which studies of this host cannot be met from here; None where all can."""
    try:
        is_host = os.stat("/proc/self/ns/pid").st_ino == _HOSTS_PIDS  # noqa: PTH116 - one number of one file
    except OSError:
        is_host = sys.platform != "linux"
    return None if is_host else "in a container: a study outside it, or in another one, may not be seen from here"


def _met(ours: contextlib.ExitStack) -> str | None:
    """Take the lock in every place where that can be; returns who has it in one of them, or runs without it."""
    holder = None
    for path in dict.fromkeys(Path(folder, FILE) for folder in _folders()):
        handle = _opened(path)
        if handle is None:
            continue
        ours.callback(os.close, handle)
        if not _taken(handle):
            holder = holder or _holder(handle)
            continue
        record = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        with contextlib.suppress(OSError):  # another user's file, opened for reading: held all the same
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(record).encode(), 0)
    if sys.platform == "linux":
        bound = ours.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            bound.bind(_SOCKET)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                holder = holder or "its process is not known"
    return holder or _rank()


def _folders() -> list[str]:
    with contextlib.suppress(OSError):  # none that can be written
        return [*_FOLDERS, tempfile.gettempdir()]
    return [*_FOLDERS]


def _opened(path: Path) -> int | None:
    """The lock's file, whoever made it; not inherited by what this process starts."""
    careful = os.O_NOFOLLOW | os.O_NONBLOCK  # anybody may put a link or a pipe there
    for flags in (os.O_RDWR, os.O_RDONLY, os.O_RDWR | os.O_CREAT):  # last: a sticky folder forbids it on others' files
        try:
            handle = os.open(path, flags | careful, 0o666)
        except OSError:
            continue
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            return None
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
        found = json.loads(os.pread(handle, 1000, 0))
        return f"process {found['pid']}, since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process is not known"


def _rank() -> str | None:
    """A rank that runs here, of a study that shares no place with this one: another container's, seen from the host."""
    with contextlib.suppress(OSError, psutil.Error):
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "bench.worker" in words[1:5]:
                return f"its rank is process {process.pid}"
    return None
