"""`bench verify`: whether a store is what it says: every file whole, every launch as planned, every attempt ended."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.errors import DONE, GATE, PARTIAL
from bench.printable import printable
from bench.store import index
from bench.store.index import survey
from bench.verbs.study_flags import json_option, store_option

if TYPE_CHECKING:
    from bench.verifying import Checked

SCHEMA = "bench.verify/1"


@click.command(
    epilog="""\b
Examples:
  bench verify
  bench verify @last
  bench verify --store /data/results --json"""
)
@click.argument("ids", metavar="[STUDY]...", nargs=-1)
@store_option
@json_option
def command(ids: tuple[str, ...], store: Path, as_json: bool) -> int:
    """Check a store: all studies, or those named.

    Plans and markers can be read; files have their size, hash and schema version; rows belong to their launch and are
    as planned; attempts have ended; rounds are complete. Exits with 4 when something is wrong, with 5 when nothing is,
    but something could not be read; changes nothing.
    """
    from bench.verifying import check

    seen = survey(store)
    studies = [index.resolve(store, text) for text in ids] or [each.study_id for each in reversed(seen.studies)]
    found = [check(store, study_id) for study_id in dict.fromkeys(studies)]
    odd = () if ids else seen.odd
    code = DONE
    if any(each.unread for each in found) or any(each.hides for each in odd):
        code = PARTIAL
    if any(each.wrong for each in found):
        code = GATE
    if as_json:
        checked = [{**asdict(each), "status": _status(each)} for each in found]
        document = {"schema": SCHEMA, "store": str(store), "studies": checked, "odd": [asdict(each) for each in odd]}
        click.echo(json.dumps(document | {"exit": code}, indent=2))
        return code
    for each in found:
        planned = "?" if each.planned is None else each.planned
        mark = "✓" if each.is_right else "!"
        click.echo(f"{mark} {each.study_id}  {each.launches} of {planned} launches, {each.files} files")
        for text in (*each.wrong, *each.unread):
            click.echo(f"  ! {printable(text)}")
        for text in each.notes:
            click.echo(f"    {printable(text)}")
    for oddity in odd:
        click.echo(f"{'!' if oddity.hides else ' '} {printable(str(oddity))}")
    if not found:
        click.echo(f"No study in {store} yet. Start one: bench scale", err=True)
    return code


def _status(checked: "Checked") -> str:
    return "wrong" if checked.wrong else "unreadable" if checked.unread else "right"
