"""A model of a disk that keeps, when the power goes, only what was synced: the worst that POSIX allows.

A new file's content is empty until the file is synced. A name that was not synced may have reached the disk or not: a
state is asked for with all such names lost, or with all of them kept. What a call changes is known from the recorder
that stands in for `fsops._at`.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Inode:
    """One file: what is in memory, and what is on the disk."""

    data: bytes = b""
    synced: bytes = b""


@dataclass
class ForgetfulDisk:
    """Names in memory and names on the disk; a folder is a name whose inode is None."""

    names: dict[Path, Inode | None] = field(default_factory=dict)
    synced: dict[Path, Inode | None] = field(default_factory=dict)

    def apply(self, call: str, path: Path, *about: object) -> None:
        """One recorded call, as if it had come to its end."""
        match call:
            case "open":
                self.names.setdefault(path, Inode())
            case "write":
                inode = self.names[path]
                inode.data = about[0] + inode.data[len(about[0]) :]
            case "truncate":
                self.names[path].data = self.names[path].data[: about[0]]
            case "mkdir":
                self.names.setdefault(path, None)
            case "link":
                self.names.setdefault(about[0], self.names[path])
            case "rename":
                self.names[about[0]] = self.names.pop(path)
            case "unlink":
                self.names.pop(path, None)
            case "sync" if self.names.get(path) is not None:
                self.names[path].synced = self.names[path].data
            case "sync":
                self._sync_folder(path)
            case _:
                raise AssertionError(f"a call that the model does not know: {call}")

    def after_power_loss(self, root: Path, into: Path, *, names_are_lost: bool = True) -> None:
        """What is left of the folder `root`, as files in `into`."""
        left = self.synced if names_are_lost else self.names
        for path, inode in sorted(left.items()):
            if not path.is_relative_to(root) or not _is_reached(path, root, left):
                continue
            target = into / path.relative_to(root)
            if inode is None:
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.write_bytes(inode.synced)

    def _sync_folder(self, folder: Path) -> None:
        for path in [path for path in self.synced if path.parent == folder and path not in self.names]:
            del self.synced[path]
        self.synced |= {path: inode for path, inode in self.names.items() if path.parent == folder}


def _is_reached(path: Path, root: Path, left: dict[Path, Inode | None]) -> bool:
    """A name is only there when every folder above it is."""
    return path == root or all(above in left for above in path.parents if above.is_relative_to(root))
