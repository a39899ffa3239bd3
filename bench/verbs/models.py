"""`bench models`: the names that `--model` knows."""

import json
from fnmatch import fnmatchcase

import click

from bench.errors import UsageError
from bench.verbs.study_flags import json_option


@click.command(
    epilog="""\b
Examples:
  bench models
  bench models 'resnet*'
  bench models --json"""
)
@click.argument("pattern", metavar="[GLOB]", default="*")
@json_option
def command(pattern: str, as_json: bool) -> None:
    """List the models that --model knows, ours and torchvision's.

    Besides these: timm:NAME where timm is installed, and your own as FILE.py:CALLABLE or MODULE:CALLABLE.
    """
    from bench.learn.catalogue import models, suggest

    found = [each for each in models() if fnmatchcase(each.name, pattern.lower())]
    if not found:
        close = ", ".join(suggest(pattern))
        raise UsageError(
            f"no model matches '{pattern}'." + (f" Did you mean {close}?" if close else ""),
            "all of them: bench models; patterns are quoted, as in 'resnet*'",
        )
    if as_json:
        listed = [{"name": each.name, "origin": each.origin} for each in found]
        click.echo(json.dumps({"schema": "bench.models/1", "models": listed, "exit": 0}, indent=2))
        return
    width = max(len(each.name) for each in found)
    for each in found:
        click.echo(f"{each.name:{width}}  {each.origin}")
