"""Files of an export appear whole, or not at all; a folder's other files are the user's and stay."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.errors import CannotError


@contextmanager
def refused_by_disk(folder: Path) -> Iterator[None]:
    """Whatever the disk refuses is raised as that.

    Raises:
        CannotError: instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise CannotError(
            f"cannot write the export to {folder}: {error.strerror or error}",
            hint="choose another folder with -o; what was there before is as it was",
        ) from error


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """An empty hidden folder in `folder`, on the same disk, that is gone afterwards.

    Raises:
        OSError: the disk does not take it, or a folder has a file's name.
    """
    made = [each for each in [*reversed(folder.absolute().parents), folder] if not each.exists()]
    draft = folder / f".{os.getpid()}.part"
    try:
        draft.mkdir(parents=True)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        for each in reversed(made):  # what stays empty was made for nothing
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """An empty folder to write into; when the block ends well, its files take their places in `folder`.

    Files of the same names are replaced, one after the other, each in one step; a block that fails leaves `folder` as
    it was.

    Raises:
        OSError: the disk does not take them, or a folder has a file's name.
    """
    with staging(folder) as draft:
        yield draft
        files = sorted(file.relative_to(draft) for file in draft.rglob("*") if file.is_file())
        for file in files:
            if (folder / file).is_dir():
                raise IsADirectoryError(None, f"{folder / file} is a folder")
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (draft / file).replace(folder / file)


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Texts by the names of their files, the same bytes on every system."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
