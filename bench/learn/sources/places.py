"""Where data and decoded copies of it lie on this machine."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from bench import folders
from bench.learn import WorkloadError


def cache_folder() -> Path:
    """BENCH_CACHE_DIR, else the platform's own cache folder for `bench`."""
    given = os.environ.get("BENCH_CACHE_DIR")
    return folders.expanded(given) if given else folders.of_user(user_cache_path)


def data_folder(given: str | None) -> Path:
    """The folder asked for, else BENCH_DATA_DIR, else `data` in the cache folder."""
    given = given or os.environ.get("BENCH_DATA_DIR")
    return folders.expanded(given) if given else cache_folder() / "data"


def missing(name: str, root: Path, wanted: str, instead: str = "") -> WorkloadError:
    """The error for a data set that is not where it was looked for."""
    state = f"has no {wanted}" if root.is_dir() else "is a file" if root.exists() else "does not exist"
    return WorkloadError(
        f"{name} was not found: {root} {state}.",
        instead or "Give its folder with --data-dir, or set BENCH_DATA_DIR.",
    )


def torn(file: Path, what: str) -> WorkloadError:
    """The error for a file that is there and cannot be read."""
    return WorkloadError(f"{file} is damaged: {what}.", "Delete it and get it again.")
