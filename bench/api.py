"""What `import bench` offers: the command's own programs, called with values, and their findings as nouns.

Nothing is printed to stdout, nothing exits. What the user can mend is a `bench.errors.BenchError`, in the words of the
command; progress goes to stderr, a line per launch where that is no terminal.
"""

import io
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from rich.console import Console

from bench import folders
from bench.analysis import result
from bench.analysis.comparing import nouns
from bench.errors import DONE, TERMINATED, CannotError, UsageError
from bench.verbs.keywords import options_of
from bench.verbs.scale import measured
from launchers import FOLLOW
from reports.comparing import comparison
from reports.scaling import terminal
from reports.text.console import console_for

if TYPE_CHECKING:
    from typing import Unpack

    import pandas as pd

    from bench.verbs.study_keywords import StudyKeywords

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
        from reports.page import layout  # noqa: PLC0415 - charts come with the page, and a script shows none

        return layout.study_cell(self)


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(nouns.Comparison):
    """B compared with A: what differs between the machines, then a verdict for each row and quantity."""

    def __repr__(self) -> str:
        return f"<Comparison of {self.b.name} with {self.a.name}: {len(self.rows)} quantities>"

    def __str__(self) -> str:
        return _printed(lambda console: comparison.show(self, console))

    def _repr_html_(self) -> str:
        from reports.page import layout  # noqa: PLC0415 - as above

        return layout.comparison_cell(self)


class Interrupted(KeyboardInterrupt):
    """A study was interrupted; `study` has what finished, and `resume=True` measures the rest."""

    def __init__(self, study: Study) -> None:
        done = sum(row.launches for row in study.rows)
        super().__init__(
            f"{done} launches of {study.study_id} are kept, in {study.store}: bench.load({str(study.store)!r}) reads "
            "them; the same call with resume=True measures the rest"
        )
        self.study = study


def scale(*, progress: bool = True, **settings: "Unpack[StudyKeywords]") -> Study:
    """Measure how training speeds up over processes and devices: `bench scale`.

    An interrupt (Ctrl-C, a notebook's stop button) ends the study after the launch that is running, a second one at
    once; either way `Interrupted` is raised once what finished is in the store. In a thread that is not the main one
    signals are left alone, and the study runs to its end.

    Args:
        progress: say on stderr what is going on.
        settings: by the names of the flags: `cores_per_rank=2` is `--cores-per-rank 2`, `ranks=[1, 2]` is `--ranks
            1,2`, `quick=True` is `--quick`, `from_=` is `--from`; also `profile=` and `resume=True`. What is left out
            comes from BENCH_* variables, ./bench.toml, the user's configuration, the profile and the defaults, as for
            the command; without a model and a profile, it is the demo.

    Raises:
        BenchError: a setting is wrong (`UsageError`), or this machine cannot (`CannotError`).
        Interrupted: with what finished.
    """
    return _study("scale", settings, progress=progress)


def run(*, progress: bool = True, **settings: "Unpack[StudyKeywords]") -> Study:
    """Measure one configuration, without a baseline beside it: `bench run`. Everything else is as for `scale`."""
    return _study("run", settings, progress=progress)


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
    from bench.study import analyse  # noqa: PLC0415

    where = _store(store)
    if table is None:
        return Study(**_parts(analyse(where, index.resolve(where, study or "@last"))), store=where)
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
    texts = (f"{each.store}::{each.study_id}" if isinstance(each, Study) else os.fspath(each) for each in (a, b))
    refs = [find_side(name, text, where) for name, text in zip("AB", texts, strict=True)]
    found, *more = comparisons(refs[0], refs[1], margin, other_source=other_source)
    if more:
        pairs = "; ".join(f"{each.a.name} and {each.b.name}" for each in (found, *more))
        raise UsageError(f"{a} and {b} have {1 + len(more)} works in common", f"name one pair: {pairs}")
    return Comparison(**_parts(found))


def _study(verb: str, settings: "StudyKeywords", *, progress: bool) -> Study:
    from bench.verbs.study_request import StudyRequest  # noqa: PLC0415 - a misspelled keyword is told before

    options, before = options_of(settings, verb=verb, progress=progress), dict(os.environ)
    try:
        request = StudyRequest.of(options, one_row=verb == "run")
        if request.launcher.role(os.environ) == FOLLOW:
            raise CannotError("this process follows the leader of a study and has none to return", "use: bench scale")
        led = measured(request)
    finally:  # what ranks were to get is not for whatever the caller does next
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
    study = Study(**_parts(led.study), store=request.store)
    if led.code == TERMINATED:
        signal.raise_signal(signal.SIGTERM)  # to whom it was meant for, now that the launch is written down
    if led.code != DONE:
        raise Interrupted(study)
    return study


def _parts(found: result.Study | nouns.Comparison) -> dict[str, Any]:
    """Its fields as they are, for the noun of that name that knows how to show itself."""
    return {each.name: getattr(found, each.name) for each in fields(found)}


def _store(given: _Path | None) -> Path:
    from bench.settings.precedence import of_files  # noqa: PLC0415 - files are read only where nobody says a store

    said = given or os.environ.get("BENCH_STORE") or of_files("study.store", Path.cwd())
    return folders.expanded(os.fspath(said))


def _printed(show: Callable[[Console], None]) -> str:
    text = io.StringIO()
    show(console_for(text, width=shutil.get_terminal_size().columns))
    return text.getvalue().strip("\n")
