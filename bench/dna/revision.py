"""Which commit a user's files are of, where they lie in a git repository. Reads; writes nothing, not even an index."""

import os
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 5


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A commit, and whether the files are as it has them."""

    commit: str
    dirty: bool  # one of the files differs from the commit, or is not in it


def of(folder: Path, names: Collection[str]) -> Revision | None:
    """The commit of these files.

    Args:
        folder: where they lie.
        names: the files, relative to it; those that are elsewhere are not asked about.

    Returns:
        None where this is no repository, git is not installed, or it gives no answer.
    """
    here = [name for name in sorted(names) if (folder / name).is_file()]
    commit = _git(folder, "rev-parse", "HEAD") if here else None
    changed = _git(folder, "status", "--porcelain", "--ignored", "--", *here) if commit else None
    return Revision(commit=commit.strip(), dirty=bool(changed.strip())) if commit and changed is not None else None


def _git(folder: Path, *words: str) -> str | None:
    # Without the lock it would refresh its index, in somebody else's repository.
    settings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ("git", "-C", str(folder), *words),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            env=settings,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
