"""`bench show --anatomy`: the layers of the launches that were looked into."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from bench.analysis.learning import anatomy
from bench.errors import UsageError
from bench.store import index, read
from bench.store.layout import existing
from bench.store.schema import Layer
from reports.learning import anatomy as text

SCHEMA = "bench.anatomy/1"


def show(ids: Sequence[str], store: Path, *, as_json: bool) -> None:
    """Print the anatomy of launches, or of all launches of studies.

    Raises:
        UsageError: no such study or launch, or nobody looked into its layers.
    """
    damaged: list[index.Damage] = []
    found = {name: rows for text in ids for name, rows in _rows(store, text, damaged).items()}
    if not found:
        raise UsageError(f"no layers of {', '.join(ids)} were looked into", "train with: bench run … --anatomy")
    layout = existing(store)
    shown = []
    for (study_id, launch_id, attempt), rows in found.items():
        pictures = sorted((layout.folder(study_id, launch_id, attempt) / "anatomy").glob("*.png"))
        summary = anatomy.summary(rows)
        if as_json:
            layers = {**asdict(summary), "flop": summary.flop}
            shown.append({"study": study_id, "launch": launch_id, **layers, "pictures": list(map(str, pictures))})
            continue
        click.echo("\n".join([f"launch {launch_id}", "", *text.lines(summary)]))
        click.echo("".join(f"\n{each}" for each in ("", "pictures", *map(str, pictures))) if pictures else "")
    warnings = list(dict.fromkeys(map(str, damaged)))
    if as_json:
        document = {"schema": SCHEMA, "store": str(store), "shown": shown, "warnings": warnings, "exit": 0}
        click.echo(json.dumps(document, indent=2))
        return
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def _rows(store: Path, text: str, damaged: list[index.Damage]) -> dict[tuple[str, str, int], list[Layer]]:
    """The layers of a launch, or of every launch of a study, by study, launch and attempt."""
    if "." in text:
        marker = index.resolve_launch(store, text, damaged)
        study_id, wanted = marker.study_id, {marker.launch_id}
    else:
        study_id = index.resolve(store, text)
        wanted = set(index.settled(store, study_id, damaged))
    attempts = {name: marker.attempt for name, marker in index.settled(store, study_id, damaged).items()}
    found: dict[tuple[str, str, int], list[Layer]] = {}
    for row in read.committed(store, study_id, damaged).layers(damaged):
        if row.launch_id in wanted:
            found.setdefault((study_id, row.launch_id, attempts[row.launch_id]), []).append(row)
    return found
