"""`bench ls`: the studies of a store, newest first, one line each. Told from plans and markers alone."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from bench.errors import CannotError
from bench.printable import printable
from bench.store.attempts import Attempt, open_attempts
from bench.store.index import UNSETTLED, Damage, markers, study_plan, survey
from bench.store.layout import UnreadableError
from bench.verbs.study_flags import json_option, store_option

SCHEMA = "bench.ls/1"
_GIVE_WAY = ("rows", "data", "model")  # columns that go first on a narrow screen; the id says most of it
_UNREADABLE = "?"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One study in short."""

    study: str
    created_at: str | None  # None, like what follows: its plan cannot be read
    model: str | None
    data: str | None
    rows: int | None  # configurations, those that cannot run here included
    launches_planned: int | None
    launches_done: int
    statuses: Mapping[str, int]  # status -> launches that ended so
    open: int  # launches that were begun and have not ended: they run, or whoever ran them died
    elsewhere: int  # of these, on another host or in another container, where they may run
    status: str  # done, running, unfinished or unreadable


@click.command(
    epilog="""\b
Examples:
  bench ls
  bench ls -q | xargs bench show
  bench ls --store /data/results --json"""
)
@store_option
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Print ids only.")
def command(store: Path, as_json: bool, quiet: bool) -> None:
    """List the studies of a store, newest first."""
    found = survey(store)
    notes, lines = found.notes(), list[Line]()
    if not quiet or as_json:
        lines = [_line(store, each.study_id, notes) for each in found.studies]
    if as_json:
        document = {
            "schema": SCHEMA,
            "store": str(store),
            "studies": [asdict(line) for line in lines],
            "warnings": notes,
            "exit": 0,
        }
        click.echo(json.dumps(document, indent=2))
        return
    for text in [each.study_id for each in found.studies] if quiet else _table(lines):
        click.echo(printable(text))
    for note in notes:
        click.echo(f"warning: {printable(note)}", err=True)
    if not found.studies and not quiet:
        click.echo(f"No study in {store} yet. Start one: bench scale", err=True)


def _line(store: Path, study_id: str, notes: list[str]) -> Line:
    """A study's line; what of it cannot be read goes to `notes`, and hides no other study."""
    damaged: list[Damage] = []
    ended = [marker.status for marker in markers(store, study_id, damaged)]
    notes += map(str, damaged)
    begun, is_unread = list[Attempt](), any(each.is_unread for each in damaged)
    try:
        begun = open_attempts(store, study_id)
    except UnreadableError as error:
        notes += [error.message] * (not is_unread)
        is_unread = True
    line = Line(
        study=study_id,
        created_at=None,
        model=None,
        data=None,
        rows=None,
        launches_planned=None,
        launches_done=len(ended),
        statuses=dict(sorted(Counter(ended).items())),
        open=len(begun),
        elsewhere=sum(each.owner.alive() is None for each in begun),
        status="unreadable",
    )
    try:
        plan = study_plan(store, study_id)
        planned = len(plan["launches"])
        line = replace(
            line,
            created_at=str(plan["created_at"]),
            model=str(plan["workload"]["model"]),
            data=str(plan["workload"]["data"]),
            rows=len(plan["configurations"]) + len(plan["unrunnable"]),
            launches_planned=planned,
        )
    except (CannotError, KeyError, TypeError):
        return line
    if is_unread:
        return line
    if any(each.owner.alive() for each in begun):
        return replace(line, status="running")
    is_done = sum(status not in UNSETTLED for status in ended) == planned
    return replace(line, status="done" if is_done else "unfinished")


def _table(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    columns = {
        "study": [line.study for line in lines],
        "started (UTC)": [(line.created_at or _UNREADABLE)[:16].replace("T", " ") for line in lines],
        "model": [line.model or _UNREADABLE for line in lines],
        "data": [line.data or _UNREADABLE for line in lines],
        "rows": [_UNREADABLE if line.rows is None else str(line.rows) for line in lines],
        "launches": [f"{line.launches_done}/{line.launches_planned or _UNREADABLE}" for line in lines],
        "status": [_status(line) for line in lines],
    }
    widths = {name: max(map(len, (name, *cells))) for name, cells in columns.items()}
    if sys.stdout.isatty():
        for name in _GIVE_WAY:
            if sum(widths.values()) + 2 * (len(widths) - 1) > shutil.get_terminal_size().columns:
                del columns[name], widths[name]
    table = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths.values(), strict=True)).rstrip() for row in table
    ]


def _status(line: Line) -> str:
    """`done`, and how the launches ended that did not end well."""
    others = [f"{count} {status}" for status, count in line.statuses.items() if status != "ok"]
    ended = line.open - line.elsewhere if line.status != "running" else 0
    left = [f"{ended} never ended (bench recover)"] * (ended > 0)
    left += [f"{line.elsewhere} begun on another host or in another container"] * (line.elsewhere > 0)
    return ", ".join([line.status, *others, *left])
