"""The user's own files behind a rank, by content: what was loaded is what was measured. No torch.

Every module that was loaded from a file counts, except those of the standard library, of installed packages, and of
bench. Files that code reads by itself (weights, configurations, data) are not seen.
"""

import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Self

_OURS = Path(__file__).resolve().parents[2]
_OUR_PACKAGES = ("bench", "launchers", "profiles", "reports", "scaling_bench")
_STANDARD = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
_INSTALLED = frozenset(("site-packages", "dist-packages"))
# torch.compile writes modules of its own; a torch that somebody builds from source is told by its version.
_NAMED_BY_VERSION = ("torch", "numpy", "triton", "__main__", "__mp_main__")


@cache
def is_standard(file: str) -> bool:
    """Whether a file is the standard library's, or no file at all."""
    path = Path(file)
    if not path.is_absolute():
        return True
    if _INSTALLED & set(path.parts):
        return False
    # Either way: systems link single files of theirs to elsewhere (/etc/python3/sitecustomize.py).
    return any(path.is_relative_to(each) or path.resolve().is_relative_to(each.resolve()) for each in _STANDARD)


@cache
def is_users(file: str) -> bool:
    """Whether a file is neither the interpreter's, nor an installed package's, nor ours."""
    if is_standard(file) or _INSTALLED & set(Path(file).parts):
        return False
    resolved = Path(file).resolve()
    return not resolved.is_relative_to(_OURS) or resolved.relative_to(_OURS).parts[0] not in _OUR_PACKAGES


class Loaded:
    """What was loaded so far; a file keeps the content that it had when it was first seen."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}  # name -> the first 16 hexadecimal digits of BLAKE2b over its bytes
        self.edited: set[str] = set()  # names of files that had another content later

    def look(self) -> Self:
        """Take in what was loaded since the last time, and whether a file has another content by now."""
        for name, file in _modules():
            try:
                digest = hashlib.blake2b(file.read_bytes()).hexdigest()[:16]
            except OSError:
                digest = "gone"
            if self.files.setdefault(name, digest) != digest:
                self.edited.add(name)
        return self

    def facts(self) -> dict[str, Any]:
        """As the fields of a `bench.worker.job.RankResult`."""
        return {"source": self.files, "edited": sorted(self.edited)}


def _modules() -> Iterator[tuple[str, Path]]:
    """The user's modules that are loaded: a name that tells nobody's folders, and the file."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name.partition(".")[0] not in _NAMED_BY_VERSION and is_users(file):
            yield _name(name, file), _on_disk(Path(file))


def _name(module: str, file: str) -> str:
    """`pkg/net.py`, from the module's name and not from where it lies."""
    package = module if Path(file).stem == "__init__" else module.rpartition(".")[0]
    return "/".join(filter(None, (package.replace(".", "/"), Path(file).name)))


def _on_disk(file: Path) -> Path:
    """The file itself, or the archive that it lies in."""
    return next((each for each in (file, *file.parents) if each.is_file()), file)
