"""What source code a launch ran: the files of all its ranks as one text of the store, with the commit they are of."""

import json
import os
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.worker.job import RankResult

_GIT_TIMEOUT_S = 5


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A commit, and whether the files are as it has them."""

    commit: str
    dirty: bool  # one of the files differs from the commit, or is not in it


def source_of(results: Sequence[RankResult], model: str) -> str:
    """The user's files of a launch, and the commit that they are of, as the JSON text of a row's `source`."""
    # Of every file the content that the first rank to load it saw.
    files = {name: content for each in reversed(results) for name, content in each.source.items()}
    place = model.rpartition(":")[0]
    folder = Path(place).expanduser().parent if place.endswith(".py") else Path()
    commit = revision_of(folder, files)
    found = {
        "files": files,
        "commit": commit.commit if commit else None,
        "dirty": commit.dirty if commit else None,
        "differing": sorted(
            name for name in files if len({each.source.get(name, files[name]) for each in results}) > 1
        ),
    }
    return json.dumps(found, sort_keys=True)


def about_source(results: Sequence[RankResult]) -> list[str]:
    """What is to be said beside the number of a file that somebody edited meanwhile."""
    names = sorted({name for each in results for name in each.edited})
    return [f"{name} was edited while the launch ran, which used what it had loaded before" for name in names]


def revision_of(folder: Path, names: Collection[str]) -> Revision | None:
    """The commit of these files; writes nothing, not even an index.

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
            timeout=_GIT_TIMEOUT_S,
            check=False,
            env=settings,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
