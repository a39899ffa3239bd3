"""The flags of `scale` and `run`, as text: what they mean and whether they are right is for `bench.settings` to say."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from bench import folders, plan


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """How to talk about a study, while it runs and at its end; the flags of that name."""

    as_json: bool = False
    plain: bool = False
    no_color: bool = False
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked of a study; the flags of that name."""

    flags: Mapping[str, Any]  # setting -> value or its text, for `bench.settings.resolve`; only what was given
    words: tuple[str, ...]  # the command line without `bench`: what repeats the study
    profile: str | None = None
    resume: bool = False
    dry_run: bool = False
    fail_on: str | None = None  # gates, with commas
    output: OutputOptions = OutputOptions()


# Flag -> (its value, what it says). The value is a placeholder, the words there are, or None for a switch.
SETTINGS: dict[str, tuple[str | tuple[str, ...] | None, str]] = {
    "--model": ("NAME", "Of `bench models`, timm:NAME, FILE.py:CALLABLE or MODULE:CALLABLE."),
    "--data": ("NAME", "synthetic, digits, cifar10, cifar100 or folder [synthetic]."),
    "--data-dir": ("DIR", "The data set's own folder, or one that holds it."),
    "--input-shape": ("C,H,W", "Of an image, as in 3,32,32."),
    "--classes": ("N", "How many there are to tell apart."),
    "--allow-empty-classes": (None, "Some classes have no validation pictures, or no others."),
    "--augment": ("LIST", "As in crop,flip,jitter:0.2; none for none."),
    "--gpus": ("LIST", "1,2,4 is short for --device cuda --ranks 1,2,4."),
    "--device": (("auto", *plan.DEVICES), "auto: cuda, else mps, else cpu."),
    "--ranks": ("LIST", "Numbers of ranks, as in 1,2,4; auto for one that fits."),
    "--cores-per-rank": ("N", "The same in every row [all cores / most ranks]."),
    "--nodes": ("LIST", "Hosts, as in 1,2,4; with --launcher torchrun or slurm."),
    "--ranks-per-node": ("N", "On each of them [1 on CPUs, one a GPU]."),
    "--launcher": ("local|torchrun|slurm", "What starts the ranks [local]."),
    "--rdzv": ("HOST:PORT", "Where the nodes of torchrun meet; the same on each."),
    "--strategy": (plan.STRATEGIES, "One, or several with commas."),
    "--scaling": (plan.SCALINGS, "weak: fixed batch per device; strong: fixed global batch [weak]."),
    "--batch": ("N", "Per device when weak, global when strong [64]."),
    "--backend": (plan.BACKENDS, "nccl on CUDA, gloo elsewhere."),
    "--ddp": ("LIST", "Options of DDP, as in find_unused_parameters=true,bucket_cap_mb=50."),
    "--allow-oversubscribe": (None, "Run more ranks than there are cores."),
    "--precision": (plan.PRECISIONS, "fp32 is IEEE, without TF32 [fp32]."),
    "--memory-format": (plan.MEMORY_FORMATS, "Order of an image's numbers in memory [contiguous]."),
    "--rounds": ("N", "Every row runs once a round, in new processes [6]."),
    "--quick": (None, "3 rounds of 3 s: estimates, no verdicts."),
    "--warmup": ("N", "Steps before the window, at least [10]."),
    "--steps": ("N", "Length of the window in steps,"),
    "--seconds": ("S", "or in seconds [6],"),
    "--epochs": ("N", "or in whole epochs, with their accuracy."),
    "--seed": ("N", "Of weights, order of data and augmentation [0]."),
    "--seeds": ("LIST", "As in 1,2,3: a round from each instead."),
    "--order-seed": ("N", "Of the random order of launches [drawn]."),
    "--margin": ("SHARE", "Differences below it count as none [0.02]."),
    "--budget": ("TIME", "As in 90s, 10m or 1h: as many rounds as fit, at least 3."),
    "--timeout": ("S", "End a launch after this long."),
    "--checkpoint": ("LIST", "Keep of training: last, last:K, best, every:K."),
    "--checkpoint-steps": ("N", "Also every N steps within an epoch."),
    "--from": ("FILE", "Start from this checkpoint."),
    "--anatomy": ("[K]", "Look into the layers, every K steps [100]; no throughput."),
    "--env": ("NAME", "Pass a variable to the ranks, or NAME=VALUE; repeatable."),
    "--store": ("DIR", "Where results go [bench-results]."),
    "--when-busy": (plan.WHEN_BUSY, "If another study measures on this host [refuse]."),
}
# Flags whose value may be left out -> the value it then has.
_BARE = {"--anatomy": "100"}
_REPEATED = {"--env"}
_OTHERS: dict[str, tuple[str | None, str]] = {
    "--profile": ("NAME", "Of `bench profiles`, or FILE.toml."),
    "--resume": (None, "Go on with the store's newest unfinished study."),
    "--dry-run": (None, "Print rows, commands, time and disk; start nothing."),
    "--plain": (None, "Progress as plain lines."),
    "--no-color": (None, "No colour."),
    "--wide": (None, "Every column."),
}

_OF_A_WORKLOAD = (
    *("--model", "--data", "--data-dir", "--input-shape", "--classes", "--augment", "--device", "--ranks"),
    *("--cores-per-rank", "--batch", "--precision", "--memory-format", "--seed", "--steps", "--when-busy", "--ddp"),
    "--env",
    "--allow-empty-classes",
)


def setting_option(flag: str, key: str, as_what: Callable[[str], Any] = str, **shown: Any) -> Callable[..., Any]:
    """A flag of a verb that resolves no other settings: flag > BENCH_* > ./bench.toml > user configuration > default.

    Args:
        flag: its name.
        key: the setting, as in "study.store".
        as_what: what the verb gets it as.
        shown: what else click wants to know.
    """

    def resolved(_: click.Context, __: click.Parameter, given: str | None) -> Any:
        if given is None and folders.is_configured(Path.cwd()):
            from bench.settings.precedence import of_files

            given = of_files(key, Path.cwd())
        given = _DEFAULTS.get(key) if given is None else given
        return None if given is None else as_what(given)

    variable = "BENCH_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(flag, envvar=variable, callback=resolved, **shown)


# Of what reading verbs need, as `bench.settings` has it, which takes longer to import than they do to run.
_DEFAULTS = {"study.store": "bench-results", "study.when_busy": "refuse"}


store_option = setting_option(
    "--store", "study.store", folders.expanded, metavar="DIR", help="Folder with the results.  [bench-results]"
)
data_dir_option = setting_option("--data-dir", "data.dir", metavar="DIR", help="Where the data set is on this machine.")
busy_option = setting_option(
    "--when-busy",
    "study.when_busy",
    type=click.Choice(plan.WHEN_BUSY),
    help="If another study measures on this host.  [refuse]",
)
gate_option = click.option("--fail-on", metavar="accuracy", help="Exit 4 if a row misses the profile's targets.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


class Extensible(click.Option):
    """A name of a file of ours, or of what others bring: whoever asks for help gets those that its text leaves out."""

    def __init__(self, flags: Sequence[str], *, names: Callable[[], Sequence[str]], **shown: Any) -> None:
        super().__init__(flags, **shown, shell_complete=self._completed)
        self._names = names

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        more = [name for name in self._names() if name not in re.findall(r"[\w-]+", f"{self.metavar} {self.help}")]
        return (record[0], f"{record[1]} Also {', '.join(more)}.") if record and more else record

    def _completed(self, _: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        done, comma, last = incomplete.rpartition(",")
        return [CompletionItem(f"{done}{comma}{name}") for name in self._names() if name.startswith(last)]


def study_options(command: Callable[[Options], Any]) -> Callable[..., Any]:
    """Gives a command the flags of a study, whose `Options` it is called with."""

    @wraps(command)
    def gathered(**given: Any) -> Any:
        output = OutputOptions(**{field.name: given.pop(field.name) for field in fields(OutputOptions)})
        return command(Options(**given, words=tuple(sys.argv[1:]), output=output))

    return _with_flags(json_option(gathered), SETTINGS, _OTHERS)


def workload_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command those flags that say what is trained and over what; it is called with `flags` and `profile`."""
    settings = {flag: shown for flag, shown in SETTINGS.items() if flag in _OF_A_WORKLOAD}
    return _with_flags(command, settings, {"--profile": _OTHERS["--profile"]})


def _with_flags(
    command: Callable[..., Any],
    settings: dict[str, tuple[str | tuple[str, ...] | None, str]],
    others: dict[str, tuple[str | None, str]],
) -> Callable[..., Any]:
    @wraps(command)
    def gathered(**given: Any) -> Any:
        said = {name: given.pop(name) for name in map(_parameter, settings)}
        return command(flags={name: value for name, value in said.items() if value not in {None, False, ()}}, **given)

    options = [_option(flag, value, text) for flag, (value, text) in {**settings, **others}.items()]
    for option in reversed(options):
        gathered = option(gathered)
    return gathered


def _parameter(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _option(flag: str, value: str | tuple[str, ...] | None, text: str) -> Callable[..., Any]:
    if value is None:
        return click.option(flag, is_flag=True, help=text)
    if flag in _BARE:
        return click.option(flag, metavar=value, is_flag=False, flag_value=_BARE[flag], help=text)
    if flag in _REPEATED:
        return click.option(flag, metavar=value, multiple=True, help=text)
    if flag in _EXTENSIBLE:
        return click.option(flag, cls=Extensible, names=_EXTENSIBLE[flag], metavar=value, help=text)
    if isinstance(value, tuple):
        return click.option(flag, cls=Extensible, names=lambda: value, metavar="|".join(value), help=text)
    return click.option(flag, metavar=value, help=text, shell_complete=_COMPLETED.get(flag))


def _models(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    from bench.learn.catalogue import models

    return [each.name for each in models() if each.name.startswith(incomplete)]


def _data_sets() -> Sequence[str]:
    from bench.learn.catalogue import data_names

    return data_names()


def _launchers() -> Sequence[str]:
    import launchers
    from bench import plugins

    return plugins.names(plugins.LAUNCHERS, *launchers.names())


def complete_profiles(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Names of profiles for the shell."""
    import profiles

    return [name for name in profiles.names() if name.startswith(incomplete)]


_COMPLETED = {"--model": _models, "--profile": complete_profiles}
_EXTENSIBLE = {"--data": _data_sets, "--launcher": _launchers}
