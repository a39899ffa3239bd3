"""A store's folder, here or anywhere that fsspec reaches: what is there, and files that are new.

Nothing there is ever replaced but a file that our own interrupted copy left unfinished.
"""

import json
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from bench import folders
from bench.errors import BenchError, CannotError, UsageError
from bench.store import fsops, index
from bench.store.commit import Store
from bench.store.index import survey
from bench.store.layout import LAYOUT_VERSION, NoStoreError, existing

_FORMAT = (json.dumps({"layout": LAYOUT_VERSION}, indent=1) + "\n").encode()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a store lies, or will. Paths are told from its root, with forward slashes."""

    url: str  # as it was written, without a password: for messages
    root: str  # as the file system spells it
    system: Any  # fsspec's
    folder: Path | None  # on this machine; None elsewhere

    @staticmethod
    def at(url: str) -> "Place":
        """A folder, or a URL such as file:///data/results, s3://bucket/results, sftp://host/results, memory://results.

        Raises:
            UsageError: nobody knows this protocol.
            CannotError: the package for it is not installed, or there is no connection.
        """
        if (local := _local(url)) is not None:
            return Place(url=url, root=str(local).rstrip("/"), system=LocalFileSystem(), folder=local)
        given, url = url, re.sub(r"(://[^/:@]*):[^/@]*@", r"\1@", url)  # a password is used, and never told
        try:
            system, root = url_to_fs(given)
        except ImportError as error:
            package = getattr(error.__cause__ or error, "name", None) or url.partition("://")[0]
            raise CannotError(f"{url}: {error}", hint=f"uv pip install {package}") from error
        except ValueError as error:
            hint = "a folder, or a URL such as s3://bucket/results, sftp://host/results or file:///data/results"
            raise UsageError(f"{url}: {error}", hint=hint) from error
        except Exception as error:  # each file system raises its own library's errors
            raise _cannot(url, "be reached", error) from error
        return Place(url=url, root=root.rstrip("/"), system=system, folder=None)

    def is_same(self, other: "Place") -> bool:
        """Whether both are one folder."""
        if self.folder is not None and other.folder is not None:
            return self.folder.resolve() == other.folder.resolve()
        return self.system == other.system and self.root == other.root

    def require_store(self) -> None:
        """Make sure that a store is here.

        Raises:
            NoStoreError: there is none.
            CannotError: another bench wrote it, or it cannot be read.
        """
        if self.folder is not None:
            existing(self.folder)
        elif not self._is_store():
            raise NoStoreError(f"there is no store at {self.url}", hint="name the folder that holds its file FORMAT")

    def make_store(self) -> None:
        """Make sure that a store is here and can be written; an empty one is made when there is none.

        Raises:
            CannotError: another bench wrote it, or it cannot be written.
        """
        if self.folder is not None:
            Store.open(self.folder)
        elif not self._is_store():
            with self._telling("be read (FORMAT)"):
                torn = self.system.exists(self._full("FORMAT"))
            if torn:
                self.remove("FORMAT")
            self.create("FORMAT", _FORMAT)

    def sizes(self, unread: dict[str, str] | None = None) -> dict[str, int | None]:
        """Every file here with its bytes (None: nobody tells).

        Args:
            unread: takes the folders that cannot be looked into, with the reason.
        """
        if self.folder is not None:
            return _sizes(self.folder, {} if unread is None else unread)
        with self._telling("be listed"):
            self.system.invalidate_cache()
            try:
                found = self.system.find(self.root, detail=True)
            except FileNotFoundError:
                return {}
        names = {name[len(self.root) :].lstrip("/"): facts.get("size") for name, facts in found.items()}
        # What comes from elsewhere must not name a place outside of the store.
        return {name: size for name, size in names.items() if ".." not in name.split("/")}

    def read(self, path: str) -> bytes:
        """One file's content.

        Raises:
            CannotError: it cannot be read, or is not there.
        """
        with self._telling(f"be read ({path})"):
            content: bytes = self.system.cat_file(self._full(path))
            return content

    def create(self, path: str, data: bytes) -> bool:
        """Write a new file; False, and nothing changes, where the name is taken.

        Exclusive where the other side can be: on this machine, and where fsspec's `mode="create"` is. Elsewhere between
        looking and writing another writer may slip in.
        """
        with self._telling(f"be written ({path})"):
            if self.folder is not None:
                return Store(self.folder).publish(data, self.folder / path)
            try:
                return self._create(self._full(path), data)
            except FileNotFoundError:  # object stores have no folders; others want them first
                if not self.system.exists(self.root.rpartition("/")[0] or self.root):
                    raise  # a bucket or a disk that is misspelt is not made
                self.system.makedirs(self._full(path).rpartition("/")[0], exist_ok=True)
                return self._create(self._full(path), data)

    def is_torn(self, content: bytes, data: bytes) -> bool:
        """Whether `content`, found here, is what an interrupted copy of `data` leaves: its beginning.

        On this machine a file gets its name when it is whole: what differs is somebody else's.
        """
        return self.folder is None and len(content) < len(data) and data.startswith(content)

    def remove(self, path: str) -> None:
        """Take back a file of our own that is not whole."""
        with self._telling(f"be written ({path})"):
            if self.folder is not None:
                fsops.remove(self.folder / path)
            else:
                self.system.rm_file(self._full(path))

    def resolve(self, words: Sequence[str], paths: Collection[str], notes: list[str]) -> list[str]:
        """Ids of the studies that are meant by ids, their beginnings, `@last` or `@-2`; of all of them without words.

        Args:
            words: what was written.
            paths: every file here, see `sizes`.
            notes: takes what else lies here, where all are meant.

        Raises:
            BenchError: none or several are meant by one of them, or one that cannot be read.
        """
        if self.folder is not None:
            return _meant(self.folder, words, notes)
        plans = [path for path in paths if re.fullmatch(r"studies/[^./][^/]*/study\.json", path)]
        with tempfile.TemporaryDirectory() as name:  # names mean the same everywhere: they are resolved by the plans
            for path in ("FORMAT", *plans):
                file = Path(name, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(self.read(path))
            for path in paths:
                if path.startswith("commits/"):
                    Path(name, path).parent.mkdir(parents=True, exist_ok=True)
            try:
                return _meant(Path(name), words, notes)
            except UsageError as error:
                raise UsageError(error.message.replace(name, self.url), error.hint) from error

    def _is_store(self) -> bool:
        with self._telling("be read (FORMAT)"):
            try:
                content = self.system.cat_file(self._full("FORMAT"))
            except FileNotFoundError:
                return False
        if self.is_torn(content, _FORMAT):
            return False
        try:
            version = json.loads(content)["layout"]
        except (ValueError, TypeError, KeyError) as error:
            raise CannotError(f"{self.url}/FORMAT cannot be read as a store's format: {error}") from error
        if version != LAYOUT_VERSION:
            text = f"the store {self.url} has layout {version}; this bench reads layout {LAYOUT_VERSION}"
            raise CannotError(text, hint="use a newer bench for this store, or another place")
        return True

    def _create(self, full: str, data: bytes) -> bool:
        try:
            self.system.pipe_file(full, data, mode="create")
        except FileExistsError:
            return False
        except (TypeError, NotImplementedError):  # knows no exclusive writing
            if self.system.exists(full):
                return False
            self.system.pipe_file(full, data)
        return True

    def _full(self, path: str) -> str:
        return f"{self.root}/{path}"

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except BenchError:
            raise
        except Exception as error:  # each file system raises its own library's errors
            raise _cannot(self.url, what, error) from error


def _meant(store: Path, words: Sequence[str], notes: list[str]) -> list[str]:
    if words:
        return list(dict.fromkeys(index.resolve(store, word) for word in words))
    found = survey(store)
    notes += map(str, found.odd)
    return sorted(each.study_id for each in found.studies)


def _local(url: str) -> Path | None:
    """The folder of this machine that is meant; None of a URL of another kind.

    Not for fsspec to say: it takes `::` in any path for the end of a first file system.
    """
    scheme, separator, path = url.partition("://")
    if separator and scheme in {"file", "local"}:
        return folders.expanded(path).absolute()
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.:-]*", scheme):
        return folders.expanded(url).absolute()
    return None


def _sizes(root: Path, unread: dict[str, str]) -> dict[str, int | None]:
    """Every file of a folder of this machine; links are followed, except to a folder that they lie in."""
    found: dict[str, int | None] = {}
    waiting = [(root, frozenset[str]())]
    while waiting:
        folder, above = waiting.pop()
        here = os.path.realpath(folder)
        try:
            for each in os.scandir(folder) if here not in above else ():
                if each.is_dir():
                    waiting.append((Path(each.path), above | {here}))
                elif each.is_file():
                    found[Path(each.path).relative_to(root).as_posix()] = each.stat().st_size
        except FileNotFoundError:  # it went away meanwhile, or was never there
            continue
        except OSError as error:
            unread[folder.relative_to(root).as_posix()] = error.strerror or str(error)
    return found


def _cannot(url: str, what: str, error: Exception) -> CannotError:
    if isinstance(error, PermissionError):
        return CannotError(f"{url} cannot {what}: no permission", hint="look at whose it is, or at the credentials")
    if isinstance(error, FileNotFoundError):
        return CannotError(f"{url} cannot {what}: no such place", hint="look at its spelling, or make it first")
    why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    again = "nothing is lost; repeating goes on where it stopped"
    return CannotError(f"{url} cannot {what}: {why.splitlines()[0][:200]}", hint=again)
