"""A study's options from Python: keywords become the words of a command line that asks for the same.

So there is one way in: what is wrong is said as the command says it, and the study keeps a command that repeats it.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypedDict

import click

from bench.errors import UsageError
from bench.verbs.options import Options, OutputOptions, study_options

if TYPE_CHECKING:
    from bench.settings import Settings

_Path = str | os.PathLike[str]
_Numbers = int | Sequence[int] | str
_Words = str | Sequence[str]


class StudyKeywords(TypedDict, total=False):
    """The settings of `bench scale`, by the names of its flags; what is left out is looked for where it looks."""

    model: str | Callable[[], Any]
    data: str
    data_dir: _Path
    input_shape: _Numbers
    classes: int
    allow_empty_classes: bool
    augment: _Words
    gpus: _Numbers
    device: str
    ranks: _Numbers
    cores_per_rank: int
    nodes: _Numbers
    ranks_per_node: int
    launcher: str
    rdzv: str
    strategy: _Words
    scaling: str
    batch: int
    backend: str
    ddp: str | Mapping[str, Any]
    allow_oversubscribe: bool
    precision: str
    memory_format: str
    rounds: int
    quick: bool
    warmup: int
    steps: int
    seconds: float
    epochs: int
    seed: int
    seeds: _Numbers
    order_seed: int
    margin: float
    budget: str | float
    timeout: str | float
    checkpoint: _Words
    checkpoint_steps: int
    from_: _Path  # `--from`, which is a word of Python's own
    anatomy: int | bool
    env: _Words | Mapping[str, str]
    store: _Path
    when_busy: str


_KNOWN = (*StudyKeywords.__annotations__, "profile", "resume")


def options_of(
    keywords: Mapping[str, Any], profile: _Path | None, *, verb: str, resume: bool, progress: bool
) -> Options:
    """What the verb is called with for these keywords; what is None, or a switch that is False, nobody said.

    Raises:
        UsageError: no such keyword, a value that no flag takes, or a model that ranks cannot make.
    """
    words = []
    for keyword, value in {"profile": profile, "resume": resume, **keywords}.items():
        if keyword not in _KNOWN:
            raise _unknown(keyword)
        flag = f"--{keyword.removesuffix('_').replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif keyword == "env" and value is not None:
            words += [word for each in ([value] if isinstance(value, str) else _items(value)) for word in (flag, each)]
        elif value is not None and value is not False:
            words += [flag, _model(value) if callable(value) else _text(value)]
    try:
        asked: Options = _parsed.main(words, standalone_mode=False)
    except click.ClickException as error:
        raise UsageError(error.format_message(), f"see: bench {verb} --help") from error
    return replace(asked, words=(verb, *words), output=OutputOptions(as_json=not progress))


def refuse_taken_back(keywords: Mapping[str, Any], settings: "Settings") -> None:
    """A switch that is False here and on elsewhere: no command line can say that, so nothing would repeat the study.

    Raises:
        UsageError: there is one.
    """
    from bench.settings.precedence import NAMES

    for name in (name for name, value in keywords.items() if value is False and name in NAMES):
        section, key = NAMES[name].split(".")
        if getattr(getattr(settings, section), key):
            raise UsageError(f"{name}=False: {settings.origins[NAMES[name]]} says {name}", "take it out there")


@click.command
@study_options
def _parsed(options: Options) -> Options:
    return options


def _unknown(keyword: str) -> UsageError:
    close = get_close_matches(keyword, _KNOWN, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return UsageError(
        f"there is no setting {keyword!r}.{meant}", "keywords are named as flags are: see bench scale --help"
    )


def _text(value: Any) -> str:
    """A value as a command line has it: several with commas, none of them as `none`."""
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping) or hasattr(value, "__iter__"):
        return ",".join(_items(value)) or "none"
    return str(value)


def _items(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}={str(each).lower() if isinstance(each, bool) else each}" for name, each in value.items()]
    return [_text(each) for each in value]


def _model(model: Callable[..., Any]) -> str:
    """How the ranks, which are processes of their own, find what makes a model: by its file, or its package.

    Raises:
        UsageError: it is only in this process.
    """
    name, module = getattr(model, "__qualname__", ""), sys.modules.get(getattr(model, "__module__", ""))
    file = getattr(module, "__file__", None)
    if module is not None and file and module.__name__ != "__main__" and vars(module).get(name) is model:
        return f"{module.__name__}:{name}" if module.__package__ else f"{file}:{name}"
    called = name if name.isidentifier() else "build"
    raise UsageError(
        f"model: {name or model!r} is only in this process, and the ranks are others, which make the model themselves",
        f"write it to a file (in a notebook: %%writefile my_model.py), then model='my_model.py:{called}'",
    )
