"""How every process of bench begins, whatever the shell, the folder or the caller left behind.

A name that nobody else's project has: in a folder with a `bench.py` or a package `reports`, on PYTHONPATH or as the
current one, Python would otherwise find that instead. Nothing of ours is imported before it is certain to be ours.
"""

import codecs
import os
import resource
import sys
import warnings
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

_ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 - pathlib costs every start 3 ms
OURS = ("bench", "launchers", "profiles", "reports")
# The user's model may have `profiles` and `reports` of its own; a rank and its like need none of ours.
OURS_OF_A_RANK = ("bench", "launchers")
# What a notebook, a site or a user sets for their own charts; ours have a style and a backend of their own.
_OF_CHARTS = ("MPLBACKEND", "MATPLOTLIBRC")
_PLAIN = "bench-plain"
_FILES = 1024


def main() -> None:
    """The command `bench`."""
    begin()
    from bench.cli import main as verbs  # noqa: PLC0415 - only now is it ours

    verbs()


def begin() -> None:
    """Make this process one that can work: its streams, its warnings, its variables, and where our packages are."""
    _streams_are_open()
    _words_can_be_shown(os.environ)
    _warnings_are_no_errors()
    _files_can_be_opened()
    for name in _OF_CHARTS:
        os.environ.pop(name, None)
    for name in ("COLUMNS", "LINES"):  # a terminal without a size says 0
        if not (os.environ.get(name, "1").isdecimal() and int(os.environ.get(name, "1"))):
            del os.environ[name]
    find_ours(OURS)


def find_ours(names: tuple[str, ...]) -> None:
    """From now on these packages are found beside this one, whatever comes first on sys.path."""
    sys.meta_path.insert(0, _Ours(names))


class _Ours:
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        return PathFinder.find_spec(name, [_ROOT]) if path is None and name in self._names else None


def _streams_are_open() -> None:
    """Streams that the caller closed (`>&-`, cron, a daemon) lead nowhere: else the next file takes their number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _words_can_be_shown(environ: Mapping[str, str]) -> None:
    """A letter that a stream cannot show becomes one that it can; who asks for the C locale gets ASCII.

    Python itself would write UTF-8 there, which is right for names of files and not for a terminal or a log.
    """
    codecs.register_error(_PLAIN, _plain)
    locale = next(filter(None, (environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    said = environ.get("PYTHONIOENCODING", "").partition(":")[0] or environ.get("PYTHONUTF8")
    encoding = "ascii" if locale in {"C", "POSIX"} and not said else None
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding=encoding or stream.encoding, errors=_PLAIN)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from reports.text.fmt import to_ascii  # noqa: PLC0415 - only where something cannot be shown

    return to_ascii(error.object[error.start : error.end]), error.end


def _files_can_be_opened() -> None:
    """As many as a shell usually allows, where that is ours to say: ranks take dozens, and hang without."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _warnings_are_no_errors() -> None:
    """PYTHONWARNINGS is for the user's own programs: a library of ours that warns must not end a study."""
    if sys.warnoptions:
        sys.warnoptions.clear()
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
