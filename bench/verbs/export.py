"""`bench export`: studies for trackers and other programs, after the run and without a network."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from bench.verbs.study_flags import Extensible, json_option, store_option

SCHEMA = "bench.export/1"


def _targets() -> Sequence[str]:
    from bench.exporting import names

    return names()


def _complete_studies(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from bench.errors import BenchError
    from bench.store.index import studies

    try:
        known = studies(context.params.get("store") or Path("bench-results"))
    except BenchError:
        return []
    return [each for each in ["@last", *known] if each.startswith(incomplete)]


@click.command(
    epilog="""\b
Examples:
  bench export @last --to csv,json -o tables
  bench export @last @-2 --to tensorboard,mlflow
  bench export @last.r00p01 --to huggingface -o my-model"""
)
@click.argument("studies", metavar="STUDY|LAUNCH...", nargs=-1, required=True, shell_complete=_complete_studies)
@store_option
@click.option(
    "--to",
    "wanted",
    metavar="TARGETS",
    cls=Extensible,
    names=_targets,
    required=True,
    help="tensorboard, wandb, mlflow, csv, json, huggingface; several with commas.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="bench-export",
    show_default=True,
    help="Folder; each target gets a folder of its own in it.",
)
@click.option("--anonymize", is_flag=True, help="Leave out paths, hosts and users; for huggingface and wandb always.")
@json_option
def command(
    studies: tuple[str, ...], store: Path, wanted: str, output: Path, *, anonymize: bool, as_json: bool
) -> None:
    """Export each STUDY (an id, the start of one, @last or @-2), or one LAUNCH of it, and print the paths written.

    Nothing is sent anywhere, and exporting again makes no duplicates: what is there stays, what has grown is renewed.
    """
    from bench import exporting
    from bench.analysis.anonymous import without_names
    from bench.exporting.files import refused_by_disk
    from bench.exporting.gather import record
    from bench.study import analyse
    from bench.verbs.own_names import own_names

    targets = {name: exporting.find(name) for name in dict.fromkeys(each.strip() for each in wanted.split(","))}
    exports, warnings = [], []
    for study_id, launch_id in list(dict.fromkeys(_meant(store, text) for text in studies)):
        study = analyse(store, study_id)
        whole = record(store, study, launch_id)
        warnings += [f"{study_id}: {each}" for each in study.warnings if "left out" in each]
        for name, target in targets.items():
            is_public = anonymize or getattr(target, "PUBLIC", False)  # it is made to be given away
            exported = without_names(whole, own_names()) if is_public else whole
            with refused_by_disk(output / name):
                paths = target.write(exported, output / name, _talk(f"exporting {exported.name} to {name}"))
            next_step = target.opened(exported, output / name)
            exports.append({"export": exported.name, "to": name, "paths": list(map(str, paths)), "next": next_step})
    if as_json:
        document = {"schema": SCHEMA, "store": str(store), "exports": exports, "warnings": warnings, "exit": 0}
        click.echo(json.dumps(document, indent=2))
        return
    for export in exports:
        click.echo("\n".join(export["paths"]))
        click.echo(export["next"], err=True)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def _meant(store: Path, text: str) -> tuple[str, str | None]:
    """The id of a study, and of the launch where one of them is meant."""
    from bench.store import index

    if "." not in text:
        return index.resolve(store, text), None
    marker = index.resolve_launch(store, text)
    return marker.study_id, marker.launch_id


def _talk(what: str) -> Callable[[str], None]:
    """Says what is done to whoever waits: at once, and then every two seconds at most."""
    click.echo(what, err=True)
    said = time.monotonic()

    def say_part(part: str) -> None:
        nonlocal said
        if time.monotonic() - said > 2:
            said = time.monotonic()
            click.echo(f"{what}: {part}", err=True)

    return say_part
