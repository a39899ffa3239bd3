"""What is told of an error that nobody expected. It needs no home, no temporary folder, no /proc and no room.

What the surroundings lack is no bug: it ends with 3 and is named. Either way the traceback is saved where that can be.
"""

import errno
import os
import resource
import secrets
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bench import folders, plugins
from bench.errors import INTERRUPTED, BenchError, CannotError
from bench.version import __version__

# What a machine answers when it has run out of something, or when a disk does not do what disks do.
_LACKS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there, or name another place (--store DIR, TMPDIR)"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files: ulimit -n 4096"),
    **dict.fromkeys((errno.EAGAIN, errno.ENOMEM), "allow more processes or memory (ulimit -u, -v), or end others"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "look at whose it is and how it is mounted"),
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.ENOTCONN), "look at the disk or the network mount"),
}


def failure(error: Exception) -> BenchError:
    """What to say of an error that no verb has words for."""
    what = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1][:200]
    if _folder_is_gone():
        return CannotError("the current folder has been removed", "change to one that exists, and repeat")
    saved = f"traceback saved: {_saved(error)}"
    lacking = _lacking(error)
    if lacking is None and (whose := plugins.blamed(error)):
        return CannotError(f"a bug in {whose}: {what}", f"{saved}\nplease report it there, with that file")
    if lacking is None:
        return BenchError(f"a bug in bench: {what}", f"{saved}\nplease report it with that file")
    return CannotError(f"this machine cannot: {what}", f"{lacking}\n{saved}")


def _folder_is_gone() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd does the same
    except FileNotFoundError:
        return True
    return False


def interrupted() -> BenchError:
    """Ctrl-C, unless no thread can be started: OpenBLAS answers that with a SIGINT to its own process."""
    try:
        threading.Thread(target=int).start()
    except RuntimeError as error:
        return CannotError(f"this machine cannot: {error}", _no_threads())
    return BenchError("interrupted", code=INTERRUPTED)


def _lacking(error: Exception) -> str | None:
    """What to do where the surroundings are to blame; None where they are not."""
    if sys.platform == "linux" and not Path("/proc/self").exists():
        return "there is no /proc here, from which bench knows processes and memory: mount -t proc proc /proc"
    if isinstance(error, MemoryError):
        return _LACKS[errno.ENOMEM]
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return _no_threads()
    if isinstance(error, OSError):
        if "temporary directory" in str(error):
            return "set TMPDIR to a folder that can be written"
        return _LACKS.get(error.errno or 0)
    return None


def _no_threads() -> str:
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    allowed = f"{most} processes and threads are allowed to this user" if most >= 0 else "a limit is reached"
    return f"{allowed}: raise it (ulimit -u, a container's pids limit, TasksMax of systemd), or end other processes"


def _saved(error: Exception) -> str:
    """Where the traceback lies: the first folder that takes it, or why there is none."""
    name = f"crash-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}-{secrets.token_hex(2)}.txt"
    for folder in (_log_folder, tempfile.gettempdir, os.getcwd, lambda: "/dev/shm"):  # noqa: S108 - a new file of it
        with suppress(Exception):  # whatever is missing here, the error itself must be told
            path = Path(folder(), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"bench {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n")
                file.writelines(traceback.format_exception(error))
            return str(path)
    return "nowhere, no folder can be written; --debug prints it"


def _log_folder() -> Path:
    from platformdirs import user_log_path  # noqa: PLC0415 - help needs click alone

    return folders.of_user(user_log_path)
