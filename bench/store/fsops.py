"""Every call that changes a store, in one place: what each leaves behind if it is the last can be seen and tested.

Standard library only. The order that keeps a store whole is the caller's (bench/store/commit.py). Each call is numbered
by `_at`, so that a test can end the process, or fill the disk, at any one of them.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# What file systems without hard links answer (FAT, exFAT, some FUSE and network mounts).
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
# A folder that cannot be opened for reading or synced (network mounts): nothing more can be promised there.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP}
# Where room cannot be set aside but by writing it.
_NO_FALLOCATE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Room:
    """What a file system has left for us; None where it does not say."""

    bytes: int | None
    files: int | None


def room(path: Path) -> Room:
    """What is left on the file system of a folder. Some (FUSE, rclone, AFS) say 0 of 0, and are not full.

    Raises:
        OSError: it cannot be asked.
    """
    found = os.statvfs(path)
    return Room(
        bytes=found.f_bavail * found.f_frsize if found.f_blocks else None,
        files=found.f_favail if found.f_files else None,
    )


def why(error: OSError, path: Path) -> str:
    """What a file system meant by an error, at or below this path."""
    if error.errno == errno.EXDEV:
        return (
            "it lies on another disk than staging/, and no two disks can share the step in which a file gets its name"
        )
    if error.errno == errno.ENOSPC:
        with contextlib.suppress(OSError):
            if room(next(each for each in (path, *path.parents) if each.exists())).files == 0:
                return "no inodes are left (df -i): there are too many files on its disk, whatever room there is"
    return error.strerror or str(error)


def make_folder(path: Path) -> None:
    """Make a folder with its missing parents; every new entry is on disk on return.

    Raises:
        OSError: it cannot be made, or something that is no folder has a parent's name.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    _at("mkdir", path)
    with contextlib.suppress(FileExistsError):  # another writer was faster
        path.mkdir()
    sync_folder(path.parent)


def write_new(path: Path, data: bytes) -> None:
    """Write a new file; its content is on disk on return. Raises as `writing_new`."""
    with writing_new(path, data) as handle:
        handle.write(data)


@contextlib.contextmanager
def writing_new(path: Path, *about: object) -> Iterator[BinaryIO]:
    """A new file to write piece by piece; its content is on disk once the block is left without an error.

    Raises:
        OSError: it exists already, or the disk does not take it.
    """
    _at("open", path)
    with path.open("xb") as handle:
        _at("write", path, *about)
        yield handle
        handle.flush()
        _at("sync", path)
        _sync(handle.fileno())


def publish(staged: Path, final: Path) -> bool:
    """Give a written file its final name, unless that name is taken: then nothing changes and the answer is False.

    A hard link is the one call that is atomic and never replaces; a rename would replace. Where there are no links, an
    empty file claims the name first: a crash in between leaves it empty, which no reader takes for a commit.

    Raises:
        OSError: the disk or the folder does not take it.
    """
    try:
        _at("link", staged, final)
        final.hardlink_to(staged)
    except FileExistsError:
        # A network mount may repeat a call whose answer was lost: then the name that is taken is ours.
        if staged.stat().st_nlink == 1:
            return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _at("open", final)
        try:
            final.touch(exist_ok=False)
        except FileExistsError:
            return False
        _at("rename", staged, final)
        staged.replace(final)
    sync_folder(final.parent)
    return True


def replace(staged: Path, final: Path) -> None:
    """Give a written file its final name, in the place of whatever has it; on disk on return.

    Raises:
        OSError: the disk or the folder does not take it.
    """
    _at("rename", staged, final)
    staged.replace(final)
    sync_folder(final.parent)


def point(link: Path, target: str) -> None:
    """Have a name mean another file of its folder, in one step; where there are no symbolic links, nothing happens.

    Raises:
        OSError: the disk or the folder does not take it.
    """
    draft = link.with_name(f".{link.name}.tmp")
    remove(draft)
    _at("symlink", draft)
    try:
        draft.symlink_to(target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return
    replace(draft, link)


def move_folder(folder: Path, new: Path) -> None:
    """Give a folder another name, with all that is in it, in one step; on disk on return.

    Raises:
        OSError: the name is taken by a folder that is not empty, or the disk does not take it.
    """
    make_folder(new.parent)
    _at("rename", folder, new)
    folder.rename(new)
    sync_folder(new.parent)


def reserve(path: Path, size: int) -> None:
    """Make a new file of zeros whose room is taken now, so that `overwrite` needs none later.

    Raises:
        OSError: it exists already, or there is no such room.
    """
    _at("open", path)
    with path.open("xb") as handle:
        _at("write", path, bytes(size))
        try:
            os.posix_fallocate(handle.fileno(), 0, size)
        except (AttributeError, OSError) as error:  # macOS has no such call, some file systems refuse it
            if isinstance(error, OSError) and error.errno not in _NO_FALLOCATE:
                raise
            handle.write(bytes(size))
            handle.flush()
        _at("sync", path)
        _sync(handle.fileno())
    sync_folder(path.parent)


def overwrite(path: Path, data: bytes) -> None:
    """Write into a reserved file, then cut it to this length; all of it is on disk on return.

    Until then it holds part of the data and zeros: its reader must be able to tell.

    Raises:
        OSError: it is not there, or the disk does not take it after all.
    """
    with path.open("r+b") as handle:
        _at("write", path, data, takes_room=False)
        handle.write(data)
        handle.flush()
        _at("sync", path, takes_room=False)
        _sync(handle.fileno())
        _at("truncate", path, len(data), takes_room=False)
        handle.truncate(len(data))
        _at("sync", path, takes_room=False)
        _sync(handle.fileno())


def beat(path: Path, number: int) -> None:
    """Change a small file in place. Nothing rests on it after a crash, so it is not one of the numbered calls.

    Raises:
        OSError: the disk does not take it.
    """
    path.parent.mkdir(exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        os.pwrite(handle, f"{number:020d}\n".encode(), 0)
        os.fsync(handle)  # what a network mount keeps to itself, no other host sees
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file if it is there."""
    _at("unlink", path, takes_room=False)
    path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Put a folder's entries on disk, where the file system can."""
    _at("sync", path)
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


def _at(call: str, path: Path, *about: object, takes_room: bool = True) -> None:  # noqa: ARG001 - see below
    """Stand before each changing call: BENCH_CRASH_AT=k dies at the k-th, BENCH_DISK_FULL_AT=k has no room from it on.

    Which call it is, and with what, matters only to a test that puts a recorder in this function's place.
    """
    crash, full = os.environ.get("BENCH_CRASH_AT"), os.environ.get("BENCH_DISK_FULL_AT")
    if crash is None and full is None:
        return
    number = next(_numbers)
    if crash is not None and number == int(crash):
        os.kill(os.getpid(), signal.SIGKILL)
    if full is not None and number >= int(full) and takes_room:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
