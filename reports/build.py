"""Writes a study's report files: each appears whole or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path

from bench.analysis.result import Study
from bench.errors import CannotError
from reports import formats


def write(study: Study, wanted: Iterable[str], folder: Path) -> list[Path]:
    """Write the study in these formats to `folder` (made when missing) as `<study id><suffix>`; returns the paths.

    Raises:
        UsageError: there is no such format; nothing is written.
        CannotError: the folder or a file in it cannot be written; an earlier report stays as it was.
    """
    modules = [formats.find(name) for name in dict.fromkeys(wanted)]
    texts = {
        folder / f"{study.study_id}{suffix}": text
        for module in modules
        for suffix, text in module.render(study).items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_all(texts)
    except OSError as error:
        raise CannotError(
            f"cannot write the report to {folder}: {error.strerror or error}",
            hint="choose another folder with -o; nothing was written",
        ) from error
    return list(texts)


def _write_all(texts: dict[Path, str]) -> None:
    """Drafts first: the reports take their names only when every one of them is complete on the disk."""
    drafts = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in texts}
    try:
        for path, text in texts.items():
            if path.is_dir():
                raise IsADirectoryError(None, f"{path.name} is a folder")
            drafts[path].write_text(text, encoding="utf-8", newline="\n")
        for path, draft in drafts.items():
            draft.replace(path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
