"""Reading what was exported."""

from pathlib import Path


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what is in it."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
