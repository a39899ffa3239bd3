"""`bench report`: the report files of one or more studies."""

import json
from pathlib import Path

import click

from bench.verbs.options import store_option

SCHEMA = "bench.report/1"


@click.command(
    epilog="""\b
Examples:
  bench report @last
  bench report @last --format csv -o tables
  bench report 20261122-0814 @-2 --store results --format md,tex"""
)
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@store_option
@click.option("--format", "wanted", default="md,tex,csv", show_default=True, help="Formats, separated by commas.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=".",
    show_default="here",
    help="Folder for the files; made when missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with the paths.")
def command(studies: tuple[str, ...], store: Path, wanted: str, output: Path, as_json: bool) -> None:
    """Write the report of each STUDY (an id, the start of one, @last or @-2) and print the paths written."""
    from bench.store import read
    from bench.study import analysed
    from reports import build, formats

    names = [name.strip() for name in wanted.split(",")]
    for name in names:
        formats.find(name)  # a wrong name is told before anything is read or written
    ids = list(dict.fromkeys(read.resolve(store, study) for study in studies))
    written = {study_id: build.write(analysed(store, study_id), names, output) for study_id in ids}
    if as_json:
        reports = [{"study": study_id, "paths": list(map(str, paths))} for study_id, paths in written.items()]
        click.echo(json.dumps({"schema": SCHEMA, "exit": 0, "reports": reports}, indent=2))
        return
    for paths in written.values():
        for path in paths:
            click.echo(path)
