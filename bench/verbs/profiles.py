"""`bench profiles`: what there is to run, and one profile as it is written."""

import json

import click

import profiles
from bench.errors import UsageError
from bench.verbs.study_flags import complete_profiles, json_option


@click.command(
    epilog="""\b
Examples:
  bench profiles
  bench profiles demo
  bench profiles demo > mine.toml && bench scale --profile mine.toml"""
)
@click.argument("name", required=False, shell_complete=complete_profiles)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the profiles, or print the whole of one: what --profile NAME sets. Flags override it."""
    if name is None:
        _list(as_json)
        return
    if name not in profiles.names():
        from bench.settings.document import suggestion

        raise UsageError(f"no profile '{name}'.{suggestion(name, profiles.names())}", "all of them: bench profiles")
    file = profiles.path(name)
    if as_json:
        document = {
            "schema": "bench.profile/1",
            "name": name,
            "path": str(file),
            "profile": profiles.read(name),
            "exit": 0,
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"# {file}")
    click.echo(file.read_text(encoding="utf-8"), nl=False)


def _list(as_json: bool) -> None:
    described = {name: str(profiles.read(name).get("description", "")) for name in profiles.names()}
    if as_json:
        listed = [{"name": name, "description": text} for name, text in described.items()]
        click.echo(json.dumps({"schema": "bench.profiles/1", "profiles": listed, "exit": 0}, indent=2))
        return
    width = max(map(len, described))
    for name, text in described.items():
        click.echo(f"{name:{width}}  {text}")
