"""Writes a report's files: each appears whole or not at all."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.analysis.report import Report
from bench.errors import CannotError
from reports import formats


def write(report: Report, wanted: Iterable[str], folder: Path) -> list[Path]:
    """Write the report in these formats to `folder` (made when missing) as `<name><suffix>`; returns the paths.

    Raises:
        UsageError: there is no such format; nothing is written.
        CannotError: the folder or a file in it cannot be written; an earlier report stays as it was.
    """
    modules = [formats.find(name) for name in dict.fromkeys(wanted)]
    files = {
        folder / f"{report.name}{suffix}": content.encode() if isinstance(content, str) else content
        for module in modules
        for suffix, content in module.render(report).items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_all(files)
    except OSError as error:
        raise CannotError(
            f"cannot write the report to {folder}: {error.strerror or error}",
            hint="choose another folder with -o; nothing was written",
        ) from error
    return list(files)


def _write_all(files: Mapping[Path, bytes]) -> None:
    """Drafts first: the reports take their names only when every one of them is complete on the disk."""
    drafts = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in files}
    try:
        for path, content in files.items():
            if path.is_dir():
                raise IsADirectoryError(None, f"{path.name} is a folder")
            drafts[path].write_bytes(content)
        for path, draft in drafts.items():
            draft.replace(path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
