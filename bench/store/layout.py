"""Where things lie in a store, and what makes a folder one. Standard library only.

FORMAT                                    {"layout": 1}
studies/STUDY/study.json                  the plan; written once
studies/STUDY/attempts/LAUNCH.aN.json     who began attempt N of a launch, and when; written before anything starts
studies/STUDY/beats/TOKEN                 changed every few seconds by whoever runs the study, and removed at its end
studies/STUDY/logs/LAUNCH/                what the ranks said
studies/STUDY/checkpoints/LAUNCH/         the state of its training, written by rank 0 of the attempt whose name it has
TABLE/STUDY/LAUNCH.parquet                the rows of one launch; written once
commits/STUDY/LAUNCH.json                 the marker: names the rows' files, written last
packs/STUDY/                              a copy of a large study's rows, one file a table; may be deleted at any moment
staging/                                  files being written; nobody reads them

Attempt 0 of a launch has the launch's own name; those after a lost or cancelled one are called LAUNCH.a1, LAUNCH.a2, …
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from bench.errors import CannotError, UsageError

LAYOUT_VERSION = 1
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")  # an id is a file name on every system

_LATER = re.compile(r"(.+)\.a([1-9]\d*)")

StorePath = str | os.PathLike[str]


class NoStoreError(UsageError, FileNotFoundError):
    """There is no store at this path."""


class UnreadableError(CannotError):
    """Something of one study is there and cannot be looked at; other studies are not concerned."""


@dataclass(frozen=True)
class Layout:
    """The paths of one store."""

    root: Path

    @property
    def format_file(self) -> Path:
        return self.root / "FORMAT"

    @property
    def staging(self) -> Path:
        return self.root / "staging"

    @property
    def studies(self) -> Path:
        return self.root / "studies"

    def plan(self, study_id: str) -> Path:
        return self.studies / _checked(study_id) / "study.json"

    def logs(self, study_id: str) -> Path:
        return self.studies / _checked(study_id) / "logs"

    def folder(self, study_id: str, launch_id: str, attempt: int = 0) -> Path:
        """Where one attempt of a launch leaves what its ranks said."""
        return self.logs(study_id) / name_of(launch_id, attempt)

    def checkpoints(self, study_id: str, launch_id: str, attempt: int = 0) -> Path:
        """Where one attempt of a launch keeps the state of its training; a later attempt takes it over."""
        return self.studies / _checked(study_id) / "checkpoints" / name_of(launch_id, attempt)

    def attempts(self, study_id: str) -> Path:
        return self.studies / _checked(study_id) / "attempts"

    def beat(self, study_id: str, token: str) -> Path:
        """The file that the owner of this token changes as long as it runs the study."""
        return self.studies / _checked(study_id) / "beats" / _checked(token)

    def attempt(self, study_id: str, launch_id: str, attempt: int) -> Path:
        return self.attempts(study_id) / f"{_checked(launch_id)}.a{attempt}.json"

    def rows(self, table: str, study_id: str, launch_id: str, attempt: int = 0, copy: int = 0) -> Path:
        """The data file of one launch; `copy` counts names that are taken, so that nothing is ever overwritten."""
        suffix = f".{copy}" if copy else ""
        return self.root / table / _checked(study_id) / f"{name_of(launch_id, attempt)}{suffix}.parquet"

    def markers(self, study_id: str) -> Path:
        return self.root / "commits" / _checked(study_id)

    def marker(self, study_id: str, launch_id: str, attempt: int = 0) -> Path:
        return self.markers(study_id) / f"{name_of(launch_id, attempt)}.json"

    def packs(self, study_id: str) -> Path:
        return self.root / "packs" / _checked(study_id)

    def pack(self, study_id: str, covers: str) -> Path:
        """The document of a pack that holds what certain markers name."""
        return self.packs(study_id) / f"{_checked(covers)}.json"

    def packed(self, study_id: str, table: str, token: str) -> Path:
        """A file of a pack; the token is its writer's own, so that two never meet."""
        return self.packs(study_id) / f"{table}.{token}.parquet"


def name_of(launch_id: str, attempt: int) -> str:
    """What the files and the folder of one attempt are called."""
    return f"{_checked(launch_id)}.a{attempt}" if attempt else _checked(launch_id)


def named(name: str) -> tuple[str, int]:
    """Launch and attempt of such a name: the inverse of `name_of`."""
    later = _LATER.fullmatch(name)
    return (later[1], int(later[2])) if later else (name, 0)


def is_id(name: str) -> bool:
    """Whether a study or a launch can have this name."""
    return _ID.fullmatch(name) is not None


def entries(folder: Path, suffix: str = "") -> list[Path]:
    """What lies in a folder of a store, in order, without hidden names; nothing where there is no such folder.

    Unlike `glob`, which takes a folder that may not be read for one that is empty.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(
                Path(each.path) for each in found if not each.name.startswith(".") and each.name.endswith(suffix)
            )
    except FileNotFoundError:
        if folder.is_symlink():
            raise
        return []


def existing(store: StorePath) -> Layout:
    """The layout of a store that is there.

    Raises:
        NoStoreError: no store at this path.
        CannotError: a newer bench wrote it, or its FORMAT cannot be read.
    """
    layout = Layout(Path(store))
    try:
        version = json.loads(layout.format_file.read_bytes())["layout"]
    except (FileNotFoundError, NotADirectoryError):
        raise NoStoreError(f"there is no store at {layout.root}", hint=_where_instead(layout.root)) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CannotError(f"{layout.format_file} cannot be read as a store's format: {error}") from error
    if version != LAYOUT_VERSION:
        raise CannotError(
            f"the store {layout.root} has layout {version}; this bench reads layout {LAYOUT_VERSION}",
            hint="use a newer bench for this store, or another store (--store DIR)",
        )
    return layout


def _checked(identity: str) -> str:
    if not is_id(identity):
        raise ValueError(f"{identity!r} cannot be an id: letters, digits, dot, dash and underscore only")
    return identity


def _where_instead(root: Path) -> str:
    for near in (root / "bench-results", *root.parents):
        if (near / "FORMAT").is_file():
            return f"did you mean {near} ?"
    return "`bench scale` makes one; name another with --store DIR or BENCH_STORE"
