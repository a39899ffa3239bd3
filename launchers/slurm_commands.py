"""Slurm's own commands, and what they complain of."""

import subprocess

_PATIENCE_S = 60.0  # a busy controller takes many seconds


class SlurmError(RuntimeError):
    """Slurm refuses, in its own words, or is not here."""


def run(*argv: str, patience_s: float = _PATIENCE_S) -> subprocess.CompletedProcess[str]:
    """A command that has ended, well or not.

    Raises:
        SlurmError: there is no such command, or it has not ended for `patience_s`.
    """
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=patience_s
        )
    except FileNotFoundError as error:
        raise SlurmError(f"{argv[0]} is not here: a job is submitted where Slurm's commands are") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{argv[0]} has said nothing for {patience_s:g} s") from error


def answer(*argv: str) -> str:
    """What a command that ended well printed.

    Raises:
        SlurmError: it complained, or as `run`.
    """
    ended = run(*argv)
    if ended.returncode:
        raise SlurmError(complaint(ended))
    return ended.stdout.strip()


def complaint(ended: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said."""
    lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    return "; ".join(line.removeprefix(f"{ended.args[0]}: ").removeprefix("error: ") for line in lines) or (
        f"{ended.args[0]} ended with code {ended.returncode}"
    )
