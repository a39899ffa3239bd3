"""`bench verify`: whether a store is what it says: every file whole, every launch as planned, every attempt ended."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from bench.errors import DONE, GATE
from bench.store import index
from bench.store.layout import existing
from bench.verbs.options import json_option, store_option

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
    as planned; attempts have ended; rounds are complete. Exits with 4 when something is wrong; changes nothing.
    """
    from bench.verifying import check

    existing(store)
    studies = [index.resolve(store, text) for text in ids] or index.studies(store)[::-1]
    found = [check(store, study_id) for study_id in dict.fromkeys(studies)]
    code = DONE if all(each.is_right for each in found) else GATE
    if as_json:
        told = [{**asdict(each), "status": "right" if each.is_right else "wrong"} for each in found]
        click.echo(json.dumps({"schema": SCHEMA, "store": str(store), "studies": told, "exit": code}, indent=2))
        return code
    for each in found:
        planned = "?" if each.planned is None else each.planned
        mark = "✓" if each.is_right else "!"
        click.echo(f"{mark} {each.study_id}  {each.launches} of {planned} launches, {each.files} files")
        for text in each.wrong:
            click.echo(f"  ! {text}")
        for text in each.notes:
            click.echo(f"    {text}")
    if not found:
        click.echo(f"No study in {store} yet. Start one: bench scale", err=True)
    return code
