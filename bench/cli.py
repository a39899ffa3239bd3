"""The verbs. Reads as the table of contents; a verb's module is imported only when the verb runs."""

import re
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

import bench
from bench.errors import CANNOT, DONE, USAGE, BenchError
from bench.output import Output

VERBS = {  # name -> its module (whose `command` it is), and what it does
    "scale": ("bench.verbs.scale", "Measure how training speeds up over processes and devices."),
    "run": ("bench.verbs.run", "Measure one configuration."),
    "report": ("bench.verbs.report", "Write the report of studies."),
    "export": ("bench.verbs.export", "Hand studies to trackers, offline, and to other programs."),
    "compare": ("bench.verbs.compare", "Compare two studies with each other, or many machines."),
    "repro": ("bench.verbs.repro", "Say whether another machine agrees, and where it first does not."),
    "calibrate": ("bench.verbs.calibrate", "Measure this machine's own noise, and the verdicts on it."),
    "ls": ("bench.verbs.ls", "List the studies of a store."),
    "show": ("bench.verbs.show", "Show a study, its settings and the command that repeats it."),
    "recover": ("bench.verbs.recover", "Close launches whose process died."),
    "verify": ("bench.verbs.verify", "Check that a store is whole and as planned."),
    "models": ("bench.verbs.models", "List the models that --model knows."),
    "profiles": ("bench.verbs.profiles", "List the profiles, or print one."),
    "doctor": ("bench.verbs.doctor", "Say whether this machine is ready to measure on."),
    "dna": ("bench.verbs.dna", "Show what machine this is, or how two differ."),
    "push": ("bench.verbs.push", "Copy studies to another store, here or elsewhere."),
    "pull": ("bench.verbs.pull", "Copy studies from another store."),
}

EXAMPLES = """\
  bench scale                                a demo, in about a minute
  bench scale --model resnet18 --data cifar10 --ranks 1,2
  bench scale --model resnet50 --gpus 1,2,4  --dry-run shows the plan"""


class Verbs(click.Group):
    """Commands that live in modules of their own, and a help text that needs none of them."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(VERBS[name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in VERBS and not word.startswith("-"):
            from difflib import get_close_matches  # noqa: PLC0415 - help needs click alone

            close = get_close_matches(word, VERBS, n=1)
            ctx.fail(f"no verb '{word}'." + (f" Did you mean '{close[0]}'?" if close else ""))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        import bench.last_resort  # noqa: F401, PLC0415 - now: when a verb fails there may be no file left to open

        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # of our own: see bench.output; click would end in silence
            raise RuntimeError("a pipe of our own broke") from error

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"\b\n{EXAMPLES}\n\n{bench.__doc__}",
    epilog="Exit codes: 0 done, 1 a bug in bench, 2 usage, 3 this machine cannot, 4 a gate failed, 5 some rows failed.",
)
@click.version_option(bench.__version__, message="bench %(version)s", help="Which one.")
@click.option(
    "--debug", is_flag=True, expose_value=False, help="Show an error's whole traceback; anywhere in the line."
)
@click.pass_context
def group(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(f"Usage: bench VERB [OPTIONS]\n\n{EXAMPLES}\n\nAll verbs: bench --help")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one verb; exits with its code, and never with a traceback unless `--debug` asks for it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    output = Output()
    warnings.showwarning = _show_warning
    failure, code = _ran([word for word in given if word != "--debug"])
    as_json = "--json" in given
    if failure is None and code == DONE and (why := output.lost()):
        as_json = False  # stdout takes no answer any more
        hint = "nothing that was measured is lost: bench ls; repeat with its output where there is room"
        failure = BenchError(f"what was asked for could not be written out: {why}", hint, CANNOT)
    if failure is not None:
        _tell(failure, as_json=as_json, debug="--debug" in given)
        code = failure.code
    sys.exit(code)


def _ran(words: list[str]) -> tuple[BenchError | None, int]:
    """What stood in a verb's way, if anything did, and its exit code."""
    failure: BenchError
    cause: BaseException
    try:
        returned = group.main(words, prog_name="bench", standalone_mode=False)
    except BenchError as error:
        return error, error.code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = _about_file(error) or f"see: {context.command_path if context else 'bench'} --help"
        failure, cause = BenchError(error.format_message(), hint, USAGE), error
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort of a command line
        from bench import last_resort  # noqa: PLC0415 - help needs click alone

        if isinstance(error, click.Abort | KeyboardInterrupt):
            failure, cause = last_resort.interrupted(), error
        else:
            failure, cause = last_resort.failure(error), error
    else:
        return None, returned if isinstance(returned, int) else DONE
    failure.__cause__ = cause
    return failure, failure.code


def _about_file(error: click.ClickException) -> str | None:
    """What to write where a model's file stands alone: `bench scale train.py`."""
    if not (file := re.search(r"unexpected extra argument \((\S+\.py)\)", error.format_message())):
        return None
    from bench.learn.catalogue import which_callable  # noqa: PLC0415 - help needs click alone

    return f"a model in a file is --model FILE.py:CALLABLE. {which_callable(file[1])}"


def _show_warning(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
    """Ours as a sentence; others' as Python shows them."""
    if category.__module__.partition(".")[0] == "bench":
        click.echo(f"warning: {message}", err=True)
    else:
        _shown_by_python(message, category, *where, **how)


_shown_by_python = warnings.showwarning


def _tell(failure: BenchError, *, as_json: bool, debug: bool) -> None:
    import json  # noqa: PLC0415 - help needs click alone
    import traceback  # noqa: PLC0415

    if debug:
        traceback.print_exception(failure)
    if as_json:
        click.echo(json.dumps(failure.document()))
    else:
        click.echo("\n".join(failure.lines), err=True)
