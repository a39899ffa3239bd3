"""A study's options from Python: keywords become the words of a command line that asks for the same.

So there is one way in: what is wrong is said as the command says it, and the study keeps a command that repeats it. The
names and types that editors know stand in `study_keywords.pyi`, which `make docs` writes from the settings.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import click

from bench.errors import UsageError
from bench.verbs.study_flags import SETTINGS, Options, OutputOptions, study_options

# `--from` is `from_`: the other is a word of Python's own.
KEYWORDS = {flag.removeprefix("--").replace("-", "_") + "_" * (flag == "--from"): flag for flag in SETTINGS}
_KNOWN = {"profile": "--profile", "resume": "--resume", **KEYWORDS}


def options_of(keywords: Mapping[str, Any], *, verb: str, progress: bool) -> Options:
    """What the verb is called with for these keywords; None, and a switch that is False, are as if left out.

    Raises:
        UsageError: no such keyword, a value that no flag takes, or a model that ranks cannot make.
    """
    words = [verb]
    for keyword, value in keywords.items():
        if keyword not in _KNOWN:
            close = " or ".join(get_close_matches(keyword, _KNOWN, n=1))
            meant = f". Did you mean {close}?" if close else ""
            raise UsageError(f"there is no setting {keyword!r}{meant}", "named as flags are: bench scale --help")
        flag = _KNOWN[keyword]
        if value is True:
            words.append(flag)
        elif keyword == "env" and value is not None:
            words += [word for each in ([value] if isinstance(value, str) else _items(value)) for word in (flag, each)]
        elif value is not None and value is not False:
            words += [flag, _model(value) if callable(value) else _text(value)]
    try:
        asked: Options = _parsed.main(words[1:], standalone_mode=False)
    except click.ClickException as error:
        raise UsageError(error.format_message(), f"see: bench {verb} --help") from error
    return replace(asked, words=tuple(words), output=OutputOptions(as_json=not progress))


@click.command
@study_options
def _parsed(options: Options) -> Options:
    return options


def _text(value: Any) -> str:
    """A value as a command line has it: several with commas, none of them as `none`."""
    if isinstance(value, str | os.PathLike) or not hasattr(value, "__iter__"):
        return str(value)
    return ",".join(_items(value)) or "none"


def _items(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}={str(each).lower() if isinstance(each, bool) else each}" for name, each in value.items()]
    return [_text(each) for each in value]


def _model(model: Callable[..., Any]) -> str:
    """How the ranks, which are processes of their own, find what makes a model: by its file, or its package.

    Raises:
        UsageError: it is only in this process.
    """
    name, module = getattr(model, "__qualname__", repr(model)), sys.modules.get(getattr(model, "__module__", ""))
    file = getattr(module, "__file__", None)
    if module is not None and file and module.__name__ != "__main__" and vars(module).get(name) is model:
        return f"{module.__name__}:{name}" if module.__package__ else f"{file}:{name}"
    raise UsageError(
        f"model: {name} is only in this process, and the ranks are others, which make the model themselves",
        f"write it to a file: model='my_model.py:{name if name.isidentifier() else 'build'}'",
    )
