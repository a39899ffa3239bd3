"""A module of ours that needs torch, in a process of its own, and the JSON it prints. Nothing here is torch.

Importing torch is most of its time, so it can be started before there is anything to ask: its stdin stays open until
the answer is waited for, and a module that must not compute earlier reads it to its end first.
"""

import importlib.util
import json
import subprocess
from collections.abc import Mapping
from typing import Any, Self

from bench.dna.facts import UnavailableError, plain
from launchers import module_argv
from launchers.environment import environment


class DoesNotRunError(UnavailableError):
    """Torch is installed and does not run; the text has its last words."""


class Child:
    """Started at once, in the environment of a rank; ended when its block is left."""

    def __init__(
        self,
        module: str,
        arguments: tuple[str, ...],
        *,
        variables: Mapping[str, str] | None = None,
        stderr: int | None = subprocess.PIPE,
    ) -> None:
        """Start it; what stands in the way is raised to whoever waits for the answer.

        Args:
            module: its name.
            arguments: its own.
            variables: of the environment, besides those of a rank.
            stderr: where its stderr goes; None: to ours.
        """
        self._process: subprocess.Popen[str] | None = None
        self._obstacle = "torch is not installed"
        if importlib.util.find_spec("torch") is None:
            return
        try:
            self._process = subprocess.Popen(
                module_argv(module, *arguments),
                env=environment(variables or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        except OSError as error:
            self._obstacle = f"no process could be started ({type(error).__name__})"

    def answer(self, timeout_s: float) -> Any:
        """Close its stdin and wait for the JSON that it prints.

        Args:
            timeout_s: from now; it is ended after this.

        Raises:
            DoesNotRunError: the process failed.
            UnavailableError: torch is not installed, or it took too long.
        """
        if self._process is None:
            raise UnavailableError(self._obstacle)
        try:
            stdout, stderr = self._process.communicate(timeout=timeout_s)
            if self._process.returncode == 0:
                return json.loads(stdout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise UnavailableError(f"no answer in {timeout_s:g} s") from None
        except (OSError, ValueError) as error:
            raise UnavailableError(f"no answer that is understood ({type(error).__name__})") from None
        last = ((stderr or "").strip().splitlines() or ["no message"])[-1]
        raise DoesNotRunError(plain(f"its process ended with exit code {self._process.returncode}: {last}"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with self._process:  # which closes its pipes and waits
                self._process.kill()  # nothing where it has ended


def document_of(
    module: str, arguments: tuple[str, ...], *, timeout_s: float, stderr: int | None = subprocess.PIPE
) -> Any:
    """The JSON that a module of ours prints, for where nothing else is to be done meanwhile; see `Child`.

    Raises:
        DoesNotRunError: the process failed.
        UnavailableError: torch is not installed, or it took too long.
    """
    with Child(module, arguments, stderr=stderr) as child:
        return child.answer(timeout_s)
