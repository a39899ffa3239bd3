"""What lies in a folder tree, file by file: pictures by extension or first bytes, everything else by kind."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from bench.account import LeftOut
from bench.learn import WorkloadError
from bench.learn.sources.source import SlowWork, Tell

PICTURES = frozenset(
    ".jpg .jpeg .jpe .jfif .pjpeg .png .bmp .dib .webp .gif .tif .tiff .ppm .pgm .pbm .pnm".split()  # noqa: SIM905
)
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".gz", ".bz2", ".xz", ".7z", ".rar")
Where = tuple[str, ...]  # parts of a path below the root

_ARCHIVE = "archives that were not unpacked"
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_NETPBM = re.compile(rb"P[1-6]\s")
_LEFTOVERS = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})
_TEXTS = frozenset({".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".html", ".py", ".mat"})
_AS_THEY_ARE = "nothing to do, unless they are data"


@dataclass(eq=False)
class Tree:
    """The files under a folder, links followed."""

    root: Path
    pictures: list[Where] = field(default_factory=list)  # in order
    folders: set[Where] = field(default_factory=set)
    found: int = 0
    _left_out: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # (kind, fix) -> paths

    def leave_out(self, kind: str, path: Where, fix: str) -> None:
        self._left_out.setdefault((kind, fix), []).append(shown(path))

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What is not taken, by kind, the most first."""
        found = [
            LeftOut(kind=kind, count=len(paths), example=min(paths), fix=fix)
            for (kind, fix), paths in self._left_out.items()
        ]
        return tuple(sorted(found, key=lambda each: (-each.count, each.kind)))

    @property
    def archives(self) -> list[str]:
        return sorted(path for (kind, _), paths in self._left_out.items() if kind == _ARCHIVE for path in paths)

    def below(self, *place: str) -> list[Where]:
        """The pictures of one folder, at any depth."""
        return [each for each in self.pictures if each[: len(place)] == place]


def shown(path: Where) -> str:
    """A path for people; bytes that are no text are replaced, for no output could write them."""
    return os.fsencode("/".join(path)).decode("utf-8", "replace")


def walked(root: Path, tell: Tell) -> Tree:
    """Every file under a folder, in order of names.

    Raises:
        WorkloadError: a folder cannot be read.
    """
    tree = Tree(root)
    progress = SlowWork(tell, f"Data     looking through {root}, files")
    for _ in _walk(tree, root, (), frozenset()):
        progress.at(tree.found)
    tree.pictures.sort()
    return tree


def _walk(tree: Tree, folder: Path, inside: Where, above: frozenset[tuple[int, int]]) -> Iterator[None]:
    """Sorts every file into the tree; yields after each folder."""
    try:
        known = folder.stat()
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda each: each.name)
    except OSError as error:
        raise WorkloadError(
            f"{folder} cannot be read: {error.strerror or error}.", "Allow it, or leave the folder out of the data."
        ) from error
    tree.folders.add(inside)
    above |= {(known.st_dev, known.st_ino)}
    for entry in found:
        path = (*inside, entry.name)
        if not _is_folder(entry):
            tree.found += 1
            _sort(tree, entry, path)
        elif entry.name.startswith(".") or entry.name == "__MACOSX":
            tree.leave_out("hidden folders, with what is in them", path, _AS_THEY_ARE)
        elif entry.is_symlink() and (entry.stat().st_dev, entry.stat().st_ino) in above:
            tree.leave_out("links that lead back to a folder above them", path, "remove them")
        else:
            yield from _walk(tree, folder / entry.name, path, above)
    yield


def _sort(tree: Tree, entry: os.DirEntry[str], path: Where) -> None:
    """One file: a picture, or something that is left out, and why."""
    name = entry.name.lower()
    suffix = PurePath(name).suffix
    if entry.is_symlink() and not Path(entry.path).exists():
        tree.leave_out("broken links", path, "what they point to is gone: restore it, or remove them")
    elif name.startswith("._"):
        tree.leave_out("AppleDouble files of macOS (._*)", path, "they hold no pictures; remove them")
    elif name.startswith(".") or name in _LEFTOVERS:
        tree.leave_out("hidden files and a file manager's own", path, _AS_THEY_ARE)
    elif not entry.is_file():
        tree.leave_out("pipes, sockets and devices", path, "remove them")
    elif suffix in PICTURES or (not suffix and _begins_as_picture(entry.path)):
        tree.pictures.append(path)
    elif name.endswith(ARCHIVES):
        tree.leave_out(_ARCHIVE, path, "unpack them if they are data")
    elif not suffix:
        tree.leave_out("files without an extension that are no pictures", path, _AS_THEY_ARE)
    else:
        fix = f"if they are pictures, convert them to one of {', '.join(sorted(PICTURES)[:4])}, …"
        tree.leave_out(f"files with the extension {suffix}", path, _AS_THEY_ARE if suffix in _TEXTS else fix)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _begins_as_picture(path: str) -> bool:
    """By the first bytes, for names without an extension."""
    try:
        with Path(path).open("rb") as stream:
            first = stream.read(12)
    except OSError:
        return True  # so that it is named when it cannot be read
    webp = first[:4] == b"RIFF" and first[8:12] == b"WEBP"
    return webp or first.startswith(_BEGINNINGS) or _NETPBM.match(first) is not None
