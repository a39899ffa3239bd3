"""Facts with their gaps: what could be read, and for what could not, why.

A gap is one of two things, and its reason begins with the word: *absent* (there is no such thing here: no GPU, no
battery) or *unreadable* (it is there, or may be, and was not given: a hidden /sys, a driver that fails). An absent fact
can differ from another machine's; an unreadable one contradicts nothing.
"""

import hashlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ABSENT, UNREADABLE = "absent", "unreadable"

# The kernel's own folders, which tell nothing of a person.
_SYSTEM = re.compile(r"(?!.*/\.\.)['\"]?/(?:proc|sys|dev|etc)(?:/[\w.,:@+*-]+)*['\"]?[:;,.)]*")
_LONGEST = 200  # characters of somebody else's text


class UnavailableError(Exception):
    """This fact cannot be read here; the text says why."""


class AbsentError(UnavailableError):
    """There is no such thing here; the text says how we know."""


# What readers of the system answer with where a fact is hidden or in a form nobody knows. A fact that cannot be read
# costs itself only, whatever library stumbled over it.
READ_FAILURES = (
    UnavailableError,
    OSError,
    ValueError,  # undecodable text included
    LookupError,
    RuntimeError,
    AttributeError,
    TypeError,
    ArithmeticError,
    psutil.Error,
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Values by name; a name is in `values` or, with its reason, in `unavailable`, never in both."""

    values: Mapping[str, Any]
    unavailable: Mapping[str, str]


def gather(readers: Mapping[str, Callable[[], Any]]) -> Facts:
    """Ask every reader; one that fails costs its own fact only."""
    values, unavailable = {}, {}
    for name, reader in readers.items():
        try:
            values[name] = reader()
        except READ_FAILURES as error:
            unavailable[name] = gap(error)
    return Facts(values=values, unavailable=unavailable)


def gap(error: Exception) -> str:
    """The reason of a fact that is missing: which of the two kinds of gap, and what we know of it."""
    return f"{ABSENT if isinstance(error, AbsentError) else UNREADABLE}: {reason_of(error)}"


def is_absent(reason: str) -> bool:
    """Whether a stored reason says that there is no such thing; older ones, without the word, do not say."""
    return reason.startswith(f"{ABSENT}:")


def reason_of(error: Exception) -> str:
    """Why a reader failed, without the names of a person's folders."""
    if isinstance(error, UnavailableError):
        return plain(str(error))
    if isinstance(error, OSError):
        return plain(f"{error.filename or 'the system'}: {error.strerror or type(error).__name__}")
    return plain(f"not in a form that is understood ({type(error).__name__}: {error})")


def plain(text: str) -> str:
    """A text of somebody else's, without what may be a path: paths tell names of people. The kernel's own stay."""
    text = re.sub(r"(['\"])(?!/(?:proc|sys|dev|etc)/)[^'\"\n]*[/\\][^'\"\n]*\1", "…", text)  # quoted: may hold blanks
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    if len(home) > 1:
        text = text.replace(home, "…")
    return re.sub(r"\S*[/\\~]\S*", lambda found: found[0] if _SYSTEM.fullmatch(found[0]) else "…", text)[:_LONGEST]


def merge(*parts: Facts) -> Facts:
    """All facts of all parts; their names differ."""
    return Facts(
        values={name: value for part in parts for name, value in part.values.items()},
        unavailable={name: reason for part in parts for name, reason in part.unavailable.items()},
    )


def canonical(document: Mapping[str, Any]) -> str:
    """One text for one content: sorted, without spaces, ASCII whatever the locale."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def id_of(document: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of BLAKE2b over a document as canonical JSON."""
    return hashlib.blake2b(canonical(document).encode()).hexdigest()[:16]


def text_of(file: Path) -> str:
    """A file of the kernel's; bytes that are no text become question marks instead of an error.

    Raises:
        OSError: it is not there, or hidden.
    """
    return file.read_text(encoding="utf-8", errors="replace").strip()


def first_text(files: Iterable[Path]) -> str | None:
    """The first of some files that can be read and is not empty."""
    for file in files:
        with suppress(OSError):
            if text := text_of(file):
                return text
    return None


def answer_of(argv: list[str], *, called: str, timeout_s: float) -> str:
    """What a program prints, in the plain locale.

    It gets a process group of its own, which is ended with it: what it started itself is not left behind.

    Args:
        argv: the program and its arguments.
        called: its name for a reason: the full path may tell a person's name.
        timeout_s: it is ended after this.

    Raises:
        UnavailableError: it is not there, gives no answer, or takes too long.
    """
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    try:
        process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
        )
    except OSError as error:
        raise UnavailableError(f"{called} cannot be started: {error.strerror}") from None
    try:
        stdout, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{called} gave no answer in {timeout_s:g} s") from None
    finally:
        _end_group(process)
    if not stdout:
        raise UnavailableError(f"{called} ended with exit code {process.returncode} and no answer")
    return stdout.decode("utf-8", errors="replace")


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """Whoever is left of the group that was started for this process."""
    if process.poll() is not None and process.returncode == 0:
        return  # it ended well: what it may have left running on purpose is not ours
    # Nobody is left; macOS says the second of a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
