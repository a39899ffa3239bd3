"""`bench recover`: after a crash, a kill or a full disk, gives every launch that was begun its one ending."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import DONE
from bench.store import index
from bench.verbs.study_flags import json_option, store_option

if TYPE_CHECKING:
    from bench.store.schema import Launch

SCHEMA = "bench.recover/1"


@click.command(
    epilog="""\b
Examples:
  bench recover
  bench recover @last
  bench recover @last --force     when its machine is gone, or nothing runs there any more"""
)
@click.argument("ids", metavar="[STUDY]...", nargs=-1)
@store_option
@click.option(
    "--force",
    is_flag=True,
    help="Close other hosts' launches without listening for them.",
)
@json_option
def command(ids: tuple[str, ...], store: Path, force: bool, as_json: bool) -> int:
    """Close launches whose process died: those that had ended are saved, the others are lost and can be run again.

    All studies, or those named. What runs is left alone, and no launch's files are removed. Can be repeated.
    """
    from bench.recovery import recover

    studies = [index.resolve(store, text) for text in ids]
    tell = partial(click.echo, err=True)
    found = [recover(store, each, force=force, tell=tell) for each in dict.fromkeys(studies) or (None,)]
    if as_json:
        document = {
            "schema": SCHEMA,
            "store": str(store),
            "finished": [_short(each) for part in found for each in part.finished],
            "lost": [_short(each) for part in found for each in part.lost],
            "running": [asdict(each) for part in found for each in part.running],
            "elsewhere": [asdict(each) for part in found for each in part.unknown],
            "unclosed": [each for part in found for each in part.unclosed],
            "removed": [each for part in found for each in part.removed],
            "exit": DONE,
        }
        click.echo(json.dumps(document, indent=2))
        return DONE
    lines = []
    for part in found:
        lines += [f"✓ launch {each.launch_id} had ended ({each.status}): saved now" for each in part.finished]
        lines += [f"! launch {each.launch_id} is lost: {each.reason}" for each in part.lost]
        lines += [f"  {each} is running ({each.owner}): left alone" for each in part.running]
        lines += [
            f"! {each} was begun on another host or in another container at {each.started_at} by a bench that gives no "
            "sign of life: left alone; --force closes it"
            for each in part.unknown
        ]
        lines += [f"! {each}" for each in part.unclosed]
        lines += [f"  removed {each}" for each in part.removed]
    click.echo("\n".join(lines) or "Nothing to recover: every launch that was begun has ended.")
    if any(part.lost for part in found):
        click.echo("Run what is lost again: repeat the study's command with --resume.")
    return DONE


def _short(launch: "Launch") -> dict[str, Any]:
    return {
        "study": launch.study_id,
        "launch": launch.launch_id,
        "attempt": launch.attempt,
        "status": launch.status,
        "reason": launch.reason,
    }
