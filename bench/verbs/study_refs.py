"""What `bench compare` is asked to compare: texts into studies, launches and stores, and those into sides.

`STUDY` is an id, the beginning of one, @last or @-2; `STUDY/ROW` one of its rows, `STUDY.rNNpNN` one of its launches. A
folder that is a store stands for its newest study (of the same work as the other side's); `STORE::STUDY` for any of
these in another store.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import click

from bench import study
from bench.analysis.comparing import calibration
from bench.analysis.comparing.comparable import workload_key
from bench.analysis.comparing.compare import compare
from bench.analysis.comparing.nouns import Calibration, Comparison
from bench.analysis.comparing.operands import Operand
from bench.analysis.learning.accuracy import last_top1
from bench.documents import noun_of
from bench.errors import BenchError, CannotError, UsageError
from bench.plan import Plan
from bench.store import index
from bench.store import read as tables
from bench.store.index import survey
from bench.store.layout import Layout, NoStoreError, existing

CALIBRATION = "calibration.json"  # beside the plan of the study that was calibrated on


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One thing to compare, found."""

    text: str
    store: Path
    study_id: str | None  # None: a store whose study is still to be chosen
    configuration: str | None = None
    launch_id: str | None = None


def find(text: str, store: Path) -> Wanted:
    """What a text means, without reading any result.

    Raises:
        UsageError: no such store, study, row or launch; or several.
    """
    place, apart, rest = text.rpartition("::")
    if not apart and ((Path(text) / "FORMAT").is_file() or _is_path(text)):
        return Wanted(text=text, store=existing(text).root, study_id=None)
    where = Path(place) if apart else store
    if apart and not rest:
        return Wanted(text=text, store=where, study_id=None)
    if "." in rest:
        marker = index.resolve_launch(where, rest)
        return Wanted(text=text, store=where, study_id=marker.study_id, launch_id=marker.launch_id)
    study, _, row = rest.partition("/")
    study_id = index.resolve(where, study)
    return Wanted(text=text, store=where, study_id=study_id, configuration=_row(where, study_id, row) if row else None)


def _is_path(text: str) -> bool:
    return text.startswith(("/", "./", "../", "~"))


def find_side(name: str, text: str, store: Path) -> Wanted:
    """The same, and where it is not found an error that says which side was meant, and what comes close.

    Args:
        name: the side, as in A.
        text: as it was written.
        store: where studies without a store of their own are looked for.

    Raises:
        UsageError: no such store, study, row or launch; or several.
    """
    try:
        return find(text, store)
    except UsageError as error:
        said = name if name == text else f"{name}, {text},"
        why = error.message
        if isinstance(error, NoStoreError) and "::" not in text and not _is_path(text):
            why = f"it is no folder with a store, and there is none at {store} that could have a study of that name"
        close = _close(text, store)
        hint = f"did you mean {' or '.join(close)}?" if close else error.hint
        raise UsageError(f"{said} was not found: {why}", hint) from error


def _close(text: str, store: Path) -> list[str]:
    """Ids of studies and folders that are spelled much like it."""
    known = []
    with contextlib.suppress(BenchError):
        known = index.studies(store)
    folder = Path(text).parent
    with contextlib.suppress(OSError):
        known += [str(each) for each in sorted(folder.iterdir()) if (each / "FORMAT").is_file()]
    return get_close_matches(text, known, n=3)


def paired_off(a: Wanted, b: Wanted) -> list[tuple[Wanted, Wanted]]:
    """The studies to compare: where a store is asked for, its newest of the same work.

    Two stores give a pair for every work that both have. Where no work is shared, the newest studies are compared, and
    the comparison says what differs.

    Raises:
        UsageError: a store without a study, or both sides are the same.
    """
    if a.study_id is not None and b.study_id is not None:
        pairs = [(a, b)]
    else:
        of_a, of_b = (_newest_by_work(each) for each in (a, b))
        newest = (next(iter(of_a.values())), next(iter(of_b.values())))
        pairs = [(of_a[key], of_b[key]) for key in of_a if key in of_b] or [newest]
    for one, other in pairs:
        _refuse_the_same(one, other)
    return pairs


def one_of_each(wanted: Sequence[Wanted]) -> list[Wanted]:
    """One study of each, of the first one's work where a store is asked for and has it.

    Raises:
        UsageError: a store without a study, or one study twice.
    """
    key, first = next(iter(_newest_by_work(wanted[0]).items()))
    chosen = [first]
    for each in wanted[1:]:
        by_work = _newest_by_work(each)
        chosen.append(by_work.get(key) or next(iter(by_work.values())))
    if len({each.study_id for each in chosen}) < len(chosen):
        raise UsageError("one study is named twice", hint="every machine needs a study of its own")
    return chosen


def read(wanted: Wanted, known: Sequence[Calibration]) -> Operand:
    """Everything that a comparison needs of a study.

    Args:
        wanted: with its study chosen.
        known: what is known of machines' noise, see `calibrations`.
    """
    study_id = wanted.study_id or ""
    plan = index.plan(wanted.store, study_id)
    damaged: list[index.Damage] = []
    found = study.analyse(wanted.store, study_id)
    side = Operand(
        name=wanted.text,
        study=found,
        plan=plan,
        launches=tables.launches(wanted.store, study_id, damaged),
        dna=tables.committed(wanted.store, study_id, damaged).dna(damaged),
        configuration=wanted.configuration,
        launch_id=wanted.launch_id,
    )
    for each in dict.fromkeys(map(str, damaged)):
        click.echo(f"warning: {each}", err=True)
    noise = {
        row.key: calibration.of(known, found.hw_id, _work(plan), row.key, row.configuration.device)
        for row in found.rows
    }
    return replace(
        side,
        accuracy=_over_seeds(wanted.store, side),
        noise={configuration: each for configuration, each in noise.items() if each is not None},
    )


def comparisons(
    a: Wanted, b: Wanted, margin: float | None = None, *, other_source: bool = False
) -> Iterator[Comparison]:
    """B compared with A; of two stores, once for every work that both have.

    Args:
        a: what it is compared with.
        b: what is judged.
        margin: differences below it count as none; None: the larger of the two studies' own.
        other_source: compare although the files of the model differ.
    """
    known = list(calibrations([a.store, b.store]))
    for pair in paired_off(a, b):
        mine, theirs = (read(each, known) for each in pair)
        yield compare(mine, theirs, margin or max(mine.plan.margin, theirs.plan.margin), other_source=other_source)


def calibrations(stores: Sequence[Path]) -> Iterator[Calibration]:
    """What stores know of their machines; a file that cannot be read is told and left out."""
    for store in dict.fromkeys(stores):
        for file in sorted(Layout(store).studies.glob(f"*/{CALIBRATION}")):
            try:
                yield noun_of(Calibration, json.loads(file.read_bytes()))
            except (OSError, ValueError, TypeError, KeyError) as error:
                click.echo(f"warning: {file} is left out: {error}", err=True)


def _over_seeds(store: Path, side: Operand) -> dict[str, dict[int, float]]:
    """Accuracy by row and seed, of the study and its kin: the same work on the same machine from other seeds."""
    mine, study = side.plan, side.study
    if mine.workload.epochs is None or side.launch_id is not None:
        return {}
    found: dict[str, dict[int, float]] = {}
    for study_id, plan in _plans(store, mine.study_id):
        if _work(plan) != _work(mine):
            continue
        launches = tables.launches(store, study_id)
        if {(each.hw_id, each.sw_id, each.method_version) for each in launches} != {
            (study.hw_id, study.sw_id, study.method_version)
        }:
            continue
        for configuration, seeds in last_top1(launches, tables.committed(store, study_id).epochs()).items():
            found[configuration] = seeds | found.get(configuration, {})  # of one seed the study itself counts
    return found


def _plans(store: Path, first: str) -> Iterator[tuple[str, Plan]]:
    """Every study whose plan can be read, one of them first, then the newest: of two with one seed the first counts."""
    yield first, index.plan(store, first)
    for study_id in index.studies(store):
        if study_id != first:
            try:
                yield study_id, index.plan(store, study_id)
            except CannotError as error:
                click.echo(f"warning: {error.message}", err=True)


def _newest_by_work(wanted: Wanted) -> dict[str, Wanted]:
    """The newest study of each work in a store, newest first; of a study, itself."""
    if wanted.study_id is not None:
        return {_work(index.plan(wanted.store, wanted.study_id)): wanted}
    studies = [each.study_id for each in survey(wanted.store).studies if not each.unreadable]
    if not studies:
        raise UsageError(f"the store {wanted.store} has no study", hint="`bench scale` makes the first")
    found: dict[str, Wanted] = {}
    for study_id, plan in _plans(wanted.store, studies[0]):
        found.setdefault(_work(plan), replace(wanted, text=f"{wanted.store}::{study_id}", study_id=study_id))
    return found


def _work(plan: Plan) -> str:
    return workload_key(plan.workload)


def _row(store: Path, study_id: str, text: str) -> str:
    rows = [each.key for each in index.plan(store, study_id).configurations]
    meant = [text] if text in rows else [row for row in rows if row.startswith(text)]
    if len(meant) != 1:
        raise UsageError(f"{text!r} is {'no' if not meant else 'more than one'} row of {study_id}", ", ".join(rows))
    return meant[0]


def _refuse_the_same(a: Wanted, b: Wanted) -> None:
    if a.study_id != b.study_id:
        return
    if (a.configuration, a.launch_id) == (b.configuration, b.launch_id) or (a.launch_id is None) != (
        b.launch_id is None
    ):
        raise UsageError(
            f"{a.text} and {b.text} are one study",
            hint="name two studies, or two of its rows as STUDY/ROW (bench show lists them)",
        )
