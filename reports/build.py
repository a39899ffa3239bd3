"""Writes a report's files: each appears whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

from bench import whole_file
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
        for path in files:
            if path.is_dir():
                raise IsADirectoryError(None, f"{path.name} is a folder")
        whole_file.write(files)
    except OSError as error:
        raise CannotError(
            f"cannot write the report to {folder}: {error.strerror or error}",
            hint="choose another folder with -o; nothing was written",
        ) from error
    return list(files)
