"""The compliance check of a store: whether everything it says of itself is so. Reads; changes nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import CannotError
from bench.plan import Plan, PlannedLaunch
from bench.store import attempts, index, packs, parquet, read, schema
from bench.store.attempts import open_attempts
from bench.store.layout import Layout, StorePath, UnreadableError, entries, existing


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One study, checked."""

    study_id: str
    launches: int  # that have a committed attempt
    planned: int | None  # None: the plan cannot be read
    files: int  # named by markers and looked at
    wrong: Sequence[str]  # what is not as it must be
    unread: Sequence[str]  # what could not be looked at, so that nothing is known of it
    notes: Sequence[str]  # what a reader of the store should know, and is no fault

    @property
    def is_right(self) -> bool:
        return not self.wrong and not self.unread


def check(store: StorePath, study_id: str) -> Checked:
    """Hold a study's plan, markers, files, rows and attempts against one another.

    Args:
        store: the store's folder.
        study_id: a whole id.

    Raises:
        NoStoreError: no store at this path.
        CannotError: its FORMAT is damaged or newer.
    """
    layout = existing(store)
    wrong: list[str] = []
    unread: list[str] = []
    notes: list[str] = []
    plan = None
    try:
        plan = index.plan(store, study_id)
    except UnreadableError as error:
        unread.append(error.message)
    except CannotError as error:
        wrong.append(error.message)
    torn: list[index.Damage] = []
    markers = index.every_marker(store, study_id, torn)
    for each in torn:  # of no launch: a copy, which is in nobody's way
        into = unread if each.is_unread else wrong if each.launch_id else notes
        into.append(f"{each.path} {each.reason}")
    rows: list[schema.Launch] = []
    for marker in markers:
        wrong += _files(layout, marker, rows, unread)
    if plan is not None:
        wrong += _against_the_plan(plan, rows)
    wrong += _methods(rows)
    with _noted(unread):
        owners = attempts.owners(layout.root, open_attempts(store, study_id), own_ended=False)
        notes += [f"{attempt} is running ({attempt.owner})" for attempt in owners.running]
        ended = [*owners.unknown, *owners.gone]
        wrong += [f"{attempt} was begun and never ended: bench recover {study_id}" for attempt in ended]
    settled = index.settled(store, study_id, [])
    wrong += _packed(read.Committed(layout=layout, markers=tuple(settled.values())))
    if plan is not None and not unread:
        left = {each.launch_id for each in index.unsettled(store, plan, [])}
        wrong += _rounds(plan, left)
        notes += [f"--resume runs {len(left)} of {len(plan.launches)} launches"] * (len(left) > 0)
    superseded = len(markers) - len(settled)
    notes += [f"superseded by another attempt: {superseded}"] * (superseded > 0)
    named = {file.path for marker in markers for file in marker.files}
    with _noted(unread):
        notes += [f"{path}: no marker names it, nobody reads it" for path in _unnamed(layout, study_id, named)]
    return Checked(
        study_id=study_id,
        launches=len(settled),
        planned=len(plan.launches) if plan is not None else None,
        files=len(named),
        wrong=wrong,
        unread=list(dict.fromkeys(unread)),
        notes=notes,
    )


def _files(layout: Layout, marker: index.Marker, rows: list[schema.Launch], unread: list[str]) -> Iterator[str]:
    """What is wrong with one marker's files; the row of its launch goes to `rows`, what cannot be seen to `unread`."""
    tables = Counter(file.table for file in marker.files)
    if tables["launches"] != 1:
        yield f"launch {marker.launch_id}: its marker names {tables['launches']} files of its row, not one"
    for file in marker.files:
        data = read.table_of(layout, marker, file)
        if isinstance(data, index.Damage) and data.is_unread:
            unread.append(f"launch {marker.launch_id}: {file.path} {data.reason}")
            continue
        if isinstance(data, index.Damage):
            yield f"launch {marker.launch_id}: {file.path} {data.reason}"
            continue
        yield from (f"launch {marker.launch_id}: {file.path} {fault}" for fault in _content(layout, marker, file, data))
        if file.table == "launches" and data.num_rows == 1:
            rows += schema.from_table("launches", data)


def _content(layout: Layout, marker: index.Marker, file: index.DataFile, data: pa.Table) -> Iterator[str]:
    table, version = parquet.written_as((layout.root / file.path).read_bytes())
    if table != file.table:
        yield f"says it holds {table}, not {file.table}"
    if not 1 <= version <= schema.SCHEMA_VERSION:
        yield f"has schema version {version}; this bench knows {schema.SCHEMA_VERSION}"
    for name, expected in (("study_id", marker.study_id), ("launch_id", marker.launch_id)):
        others = set(pc.unique(data.column(name)).to_pylist()) - {expected}
        if others:
            yield f"holds rows of {name} {', '.join(sorted(others))}"
    if file.table != "launches":
        return
    if data.num_rows != 1:
        yield f"holds {data.num_rows} rows, not one"
        return
    launch: schema.Launch = schema.from_table("launches", data)[0]
    if (launch.status, launch.attempt) != (marker.status, marker.attempt):
        yield f"says {launch.status}, attempt {launch.attempt}; its marker {marker.status}, attempt {marker.attempt}"
    if launch.status not in schema.STATUSES:
        yield f"has a status that nobody knows: {launch.status}"


def _against_the_plan(plan: Plan, rows: Sequence[schema.Launch]) -> Iterator[str]:
    planned = {each.launch_id: each for each in plan.launches}
    for launch in rows:
        if launch.launch_id not in planned:
            yield f"launch {launch.launch_id} is not in the plan"
            continue
        each = planned[launch.launch_id]
        for what, asked, got in (*_asked(plan, each, launch), *_joined(plan, each, launch)):
            if asked != got:
                yield f"launch {launch.launch_id}: {what} {got}, planned {asked}"


def _asked(plan: Plan, planned: PlannedLaunch, launch: schema.Launch) -> Iterator[tuple[str, object, object]]:
    """What the row repeats of its plan: what, as planned, as the row has it."""
    row, work = planned.configuration, plan.workload_of(planned)
    yield "model", work.model, launch.model
    yield "data", work.data, launch.data
    yield "precision", work.precision, launch.precision
    yield "seed", work.seed, launch.seed
    yield "configuration", row.key, launch.configuration
    yield "ranks", row.ranks, launch.ranks
    yield "batch per rank", row.batch_per_rank, launch.batch_per_rank
    yield "round and position", (planned.round, planned.position), (launch.round, launch.position)


def _joined(plan: Plan, planned: PlannedLaunch, launch: schema.Launch) -> Iterator[tuple[str, object, object]]:
    """What really took part; only of launches that ended well, and of what they tell."""
    row = planned.configuration
    if launch.status != schema.OK:
        return
    if launch.world_size is not None:
        yield "ranks that joined", row.processes, launch.world_size
    if launch.distinct_devices is not None and not plan.oversubscribed:
        yield "distinct devices", row.ranks, launch.distinct_devices
    if launch.threads_per_rank is not None and row.cores_per_rank is not None:
        yield "threads per rank", row.cores_per_rank, launch.threads_per_rank


def _methods(rows: Sequence[schema.Launch]) -> Iterator[str]:
    methods = Counter(launch.method_version for launch in rows)
    if len(methods) > 1:
        counts = ", ".join(f"{count} by version {version}" for version, count in sorted(methods.items()))
        yield f"launches were measured by different methods ({counts}): they cannot be compared"


def _rounds(plan: Plan, left: set[str]) -> Iterator[str]:
    """A round that was begun and not ended; one of which every launch is left to run is no fault."""
    for number in range(plan.rounds):
        ids = [each.launch_id for each in plan.launches if each.round == number]
        done = sum(launch_id not in left for launch_id in ids)
        if 0 < done < len(ids):
            yield f"round {number} is not complete: {done} of {len(ids)} launches"


def _packed(files: read.Committed) -> Iterator[str]:
    """Whether the pack that stands for these files holds what they hold; damage of the files is told elsewhere."""
    pack = packs.find(files.layout, files.markers)
    if pack is None:
        return
    folder = f"packs/{pack.study_id}"
    fix = f"remove {folder}, which is only a copy"
    if not packs.is_right(files.layout, pack):
        yield f"{folder} is not what was written, so readers pass over it: {fix}"
        return
    for table in schema.TABLES:
        damaged: list[index.Damage] = []
        singles = files.singles(table, damaged)
        alike = True
        for launches, rows in files.pieces(table, damaged):
            start = 0
            for launch_id, count in launches:
                alike = alike and next(singles, None) == (launch_id, rows.slice(start, count))
                start += count
        if not damaged and (not alike or next(singles, None) is not None):
            yield f"{folder} holds other rows of {table} than the launches' own files: {fix}"


def _unnamed(layout: Layout, study_id: str, named: set[str]) -> list[str]:
    found = [file for table in schema.TABLES for file in entries(layout.root / table / study_id)]
    return sorted({file.relative_to(layout.root).as_posix() for file in found} - named)


@contextmanager
def _noted(unread: list[str]) -> Iterator[None]:
    """What cannot be looked at within goes on the list, and costs only what is within."""
    try:
        yield
    except UnreadableError as error:
        unread.append(error.message)
    except OSError as error:
        unread.append(f"{error.filename} cannot be read: {error.strerror or error}")
