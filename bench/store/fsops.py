"""Every call that changes a store, in one place: what each leaves behind if it is the last can be seen and tested.

Standard library only. The order that keeps a store whole is the caller's (bench/store/commit.py).
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

# What file systems without hard links answer (FAT, exFAT, some FUSE and network mounts).
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
# A folder that cannot be opened for reading or synced (network mounts): nothing more can be promised there.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP}


def make_folder(path: Path) -> None:
    """Make a folder with its missing parents; every new entry is on disk on return.

    Raises:
        OSError: it cannot be made, or something that is no folder has a parent's name.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):  # another writer was faster
        path.mkdir()
    sync_folder(path.parent)


def write_new(path: Path, data: bytes) -> None:
    """Write a new file; its content is on disk on return.

    Raises:
        OSError: it exists already, or the disk does not take it.
    """
    with path.open("xb") as handle:
        handle.write(data)
        handle.flush()
        _sync(handle.fileno())


def publish(staged: Path, final: Path) -> bool:
    """Give a written file its final name, unless that name is taken: then nothing changes and the answer is False.

    A hard link is the one call that is atomic and never replaces; a rename would replace. Where there are no links, an
    empty file claims the name first: a crash in between leaves it empty, which no reader takes for a commit.

    Raises:
        OSError: the disk or the folder does not take it.
    """
    try:
        final.hardlink_to(staged)
    except FileExistsError:
        # A network mount may repeat a call whose answer was lost: then the name that is taken is ours.
        if staged.stat().st_nlink == 1:
            return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            final.touch(exist_ok=False)
        except FileExistsError:
            return False
        staged.replace(final)
    sync_folder(final.parent)
    return True


def remove(path: Path) -> None:
    """Remove a file if it is there."""
    path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Put a folder's entries on disk, where the file system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # may be entered and written, not read
        return
    try:
        _sync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def _sync(handle: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone stops at the drive's cache
    if full is not None:
        with contextlib.suppress(OSError):  # not on every volume; fsync is what is left
            fcntl.fcntl(handle, full)
            return
    os.fsync(handle)
