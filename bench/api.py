"""What `import bench` offers: the command's own programs, called with values, and their findings as nouns.

Nothing is printed to stdout, nothing exits. What the user can mend is a `bench.errors.BenchError`, in the words of the
command; progress goes to stderr, a line per launch where that is no terminal.
"""

import contextlib
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from rich.console import Console

from bench import folders
from bench.analysis import result
from bench.analysis.comparing import nouns
from bench.analysis.result import Estimate, Row, Verdict
from bench.errors import DONE, TERMINATED, BenchError, CannotError, UsageError
from bench.verbs.keywords import StudyKeywords, options_of, refuse_taken_back
from bench.verbs.options import Options
from launchers import FOLLOW, SUBMIT
from reports.comparing import comparison
from reports.scaling import terminal
from reports.text.console import console_for

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BenchError",
    "Comparison",
    "Estimate",
    "Interrupted",
    "Row",
    "Study",
    "Verdict",
    "compare",
    "load",
    "run",
    "scale",
]

_Path = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True, repr=False)
class Study(result.Study):
    """A study, read from its store and analysed: `rows`, each with its estimates and its verdict.

    `print(study)` is the table of the terminal; a notebook shows that of the page. Both have the same digits.
    """

    store: Path

    def load(self, table: str) -> "pd.DataFrame":
        """The study's part of a table of the store: launches, steps, epochs, classes, layers or dna."""
        return load(self.store, table, study=self.study_id)

    def __repr__(self) -> str:
        launches = sum(row.launches + row.launches_failed for row in self.rows)
        return f"<Study {self.study_id}: {len(self.rows)} rows, {launches} launches>"

    def __str__(self) -> str:
        return _printed(lambda console: terminal.show(self, console, store=str(self.store)))

    def _repr_html_(self) -> str:
        from reports.page import cell  # noqa: PLC0415 - charts come with the page, and a script shows none

        return cell.study(self)


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(nouns.Comparison):
    """B compared with A: what differs between the machines, then a verdict for each row and quantity."""

    def __repr__(self) -> str:
        return f"<Comparison of {self.b.name} with {self.a.name}: {len(self.rows)} quantities>"

    def __str__(self) -> str:
        return _printed(lambda console: comparison.show(self, console))

    def _repr_html_(self) -> str:
        from reports.page import cell  # noqa: PLC0415

        return cell.comparison(self)


class Interrupted(KeyboardInterrupt):
    """A study was interrupted; `study` has what finished, and `resume=True` measures the rest."""

    def __init__(self, study: Study) -> None:
        done = sum(row.launches for row in study.rows)
        super().__init__(
            f"{done} launches of {study.study_id} are kept, in {study.store}: bench.load({str(study.store)!r}) reads "
            "them; the same call with resume=True measures the rest"
        )
        self.study = study


def scale(
    *,
    profile: _Path | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Unpack[StudyKeywords],
) -> Study:
    """Measure how training speeds up over processes and devices: `bench scale`.

    An interrupt (Ctrl-C, a notebook's stop button) ends the study after the launch that is running, a second one at
    once; either way `Interrupted` is raised once what finished is in the store. In a thread that is not the main one
    signals are left alone, and the study runs to its end.

    Args:
        profile: what to start from, a name of `bench profiles` or a TOML file. Without it and a model, the demo.
        resume: go on with the store's newest study of these settings that is unfinished.
        progress: say on stderr what is going on.
        settings: by the names of the flags: `cores_per_rank=2` is `--cores-per-rank 2`, `ranks=[1, 2]` is `--ranks
            1,2`, `quick=True` is `--quick`, `from_=` is `--from`. What is left out comes from BENCH_* variables,
            ./bench.toml, the user's configuration, the profile and the defaults, as for the command.

    Raises:
        BenchError: a setting is wrong (`UsageError`), or this machine cannot (`CannotError`).
        Interrupted: with what finished.
    """
    return _measured("scale", options_of(settings, profile, verb="scale", resume=resume, progress=progress), settings)


def run(
    *,
    profile: _Path | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Unpack[StudyKeywords],
) -> Study:
    """Measure one configuration, without a baseline beside it: `bench run`. Everything else is as for `scale`."""
    return _measured("run", options_of(settings, profile, verb="run", resume=resume, progress=progress), settings)


@overload
def load(store: _Path | None, table: str, *, study: str | None = None) -> "pd.DataFrame": ...
@overload
def load(store: _Path | None = None, table: None = None, *, study: str | None = None) -> Study: ...
def load(store: _Path | None = None, table: str | None = None, *, study: str | None = None) -> "pd.DataFrame | Study":
    """A study of a store, analysed, or one of the store's tables as a frame.

    Args:
        store: its folder; None: the one that the command would use here.
        table: launches, steps, epochs, classes, layers or dna, as a frame with a row for each of its rows.
        study: an id, the beginning of one, @last or @-2. None: the newest for a study, all of them for a table.

    Raises:
        UsageError: no such store, study or table.
    """
    from bench.store import index, read  # noqa: PLC0415 - pyarrow and pandas only for who reads a store

    where = _store(store)
    if table is None:
        return _analysed(where, index.resolve(where, study or "@last"))
    frame = read.load(where, table)
    return frame if study is None else frame[frame["study_id"] == index.resolve(where, study)].reset_index(drop=True)


def compare(
    a: _Path | Study,
    b: _Path | Study,
    *,
    store: _Path | None = None,
    threshold: float | None = None,
    other_source: bool = False,
) -> Comparison:
    """Is B faster than A, and did it learn the same: `bench compare A B`.

    Args:
        a: a study, or what the command takes: an id, @last, STUDY/ROW, a launch, a store's folder, STORE::STUDY.
        b: the same.
        store: where ids are looked for; None: where the command would look here.
        threshold: a share; differences below it count as none. None: the studies' own margin.
        other_source: compare although the files of the model differ.

    Raises:
        UsageError: one of them is not found, they are the same, or two stores share several works.
    """
    from bench.verbs.compare import share  # noqa: PLC0415 - statistics only for who compares
    from bench.verbs.study_refs import comparisons, find_side  # noqa: PLC0415

    where, margin = _store(store), None if threshold is None else share(str(threshold))
    sides = find_side("A", _named(a), where), find_side("B", _named(b), where)
    found = list(comparisons(*sides, margin=margin, other_source=other_source))
    if len(found) > 1:
        pairs = "; ".join(f"{each.a.name} and {each.b.name}" for each in found)
        raise UsageError(f"{a} and {b} have {len(found)} works in common", f"name one pair: {pairs}")
    return Comparison(**_parts(found[0]))


def _measured(verb: str, options: Options, settings: StudyKeywords) -> Study:
    from bench.verbs.leading import lead  # noqa: PLC0415 - takes longer to import than a mistake to be found
    from bench.verbs.study_request import StudyRequest  # noqa: PLC0415

    with _environment_kept():
        request = StudyRequest.of(options, one_row=verb == "run")
        refuse_taken_back(settings, request.settings)
        part = request.launcher.part(os.environ)
        if part == FOLLOW:
            raise CannotError("this process is to follow the leader of a study, and would have no study to return", "")
        if part == SUBMIT:
            from bench.verbs.submission import submit  # noqa: PLC0415

            submit(request)
            return _analysed(request.store, request.study_id)
        led = lead(request)
    study = Study(**_parts(led.study), store=request.store)
    if led.code == TERMINATED:
        signal.raise_signal(signal.SIGTERM)  # to whom it was meant for, now that the launch is written down
    if led.code != DONE:
        raise Interrupted(study)
    return study


def _analysed(store: Path, study_id: str) -> Study:
    from bench.study import analysed  # noqa: PLC0415 - statistics only for who reads a study

    return Study(**_parts(analysed(store, study_id)), store=store)


def _parts(found: result.Study | nouns.Comparison) -> dict[str, Any]:
    """Its fields as they are, for the noun of that name that knows how to show itself."""
    return {each.name: getattr(found, each.name) for each in fields(found)}


def _named(thing: _Path | Study) -> str:
    return f"{thing.store}::{thing.study_id}" if isinstance(thing, Study) else os.fspath(thing)


def _store(given: _Path | None) -> Path:
    if given is None:
        from bench.settings.single import of_files  # noqa: PLC0415 - files are read only where nobody says a store

        given = os.environ.get("BENCH_STORE") or of_files("study.store", Path.cwd())
    return folders.expanded(os.fspath(given))


def _printed(show: Callable[[Console], None]) -> str:
    text = io.StringIO()
    show(console_for(text, width=shutil.get_terminal_size().columns))
    return text.getvalue().strip("\n")


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """What a study sets for its ranks is not set for whatever the caller does next."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
