"""`bench pull`: studies of another store to this one."""

from pathlib import Path

import click

from bench.verbs.study_flags import json_option, store_option

SCHEMA = "bench.pull/1"


@click.command(
    epilog="""\b
Examples:
  bench pull /mnt/lab/results
  bench pull s3://bucket/results @last
  bench pull sftp://host/data/results --store theirs && bench ls --store theirs"""
)
@click.argument("source", metavar="SOURCE")
@click.argument("studies", metavar="[STUDY]...", nargs=-1)
@store_option
@json_option
def command(source: str, studies: tuple[str, ...], store: Path, as_json: bool) -> int:
    """Copy studies, or each STUDY, of the store at SOURCE to this one: a folder or any URL that fsspec knows.

    What is here already is left as it is; doing it again copies what is missing. Logs stay where they are.
    """
    from bench.verbs.copying import move

    return move(source, str(store), studies, logs=False, schema=SCHEMA, as_json=as_json)
