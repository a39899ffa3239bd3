"""Facts with their gaps: what could be read, and for what could not, why."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class UnavailableError(Exception):
    """This fact cannot be had here; the text says why."""


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
        except UnavailableError as error:
            unavailable[name] = str(error)
        except OSError as error:  # the names of files are the system's, never a user's
            unavailable[name] = f"{error.filename or 'the system'}: {error.strerror or error}"
        except (ValueError, LookupError) as error:
            unavailable[name] = f"not in a form that is understood ({type(error).__name__}: {error})"
    return Facts(values=values, unavailable=unavailable)


def merge(*parts: Facts) -> Facts:
    """All facts of all parts; their names differ."""
    return Facts(
        values={name: value for part in parts for name, value in part.values.items()},
        unavailable={name: reason for part in parts for name, reason in part.unavailable.items()},
    )


def answer_of(argv: list[str], *, called: str, timeout_s: float) -> str:
    """What a program prints, in the plain locale.

    Args:
        argv: the program and its arguments.
        called: its name for a reason: the full path may tell a person's name.
        timeout_s: it is ended after this.

    Raises:
        UnavailableError: it is not there, gives no answer, or takes too long.
    """
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False, env=environment)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{called} gave no answer in {timeout_s:g} s") from None
    except OSError as error:
        raise UnavailableError(f"{called} cannot be started: {error.strerror}") from None
    if not done.stdout:
        raise UnavailableError(f"{called} ended with exit code {done.returncode} and no answer")
    return done.stdout
