"""`bench push`: studies of this store to another one."""

from pathlib import Path

import click

from bench.verbs.study_flags import json_option, store_option

SCHEMA = "bench.push/1"


@click.command(
    epilog="""\b
Examples:
  bench push /mnt/lab/results
  bench push s3://bucket/results @last
  bench push sftp://host/data/results 20261122-0814 --logs"""
)
@click.argument("destination", metavar="DEST")
@click.argument("studies", metavar="[STUDY]...", nargs=-1)
@store_option
@click.option("--logs", is_flag=True, help="What the ranks said too; it may name folders and people.")
@json_option
def command(destination: str, studies: tuple[str, ...], store: Path, logs: bool, as_json: bool) -> int:
    """Copy studies, or each STUDY, to the store at DEST: a folder or any URL that fsspec knows.

    What is there already is left as it is; doing it again copies what is missing.
    """
    from bench.verbs.copying import move

    return move(str(store), destination, studies, logs=logs, schema=SCHEMA, as_json=as_json)
