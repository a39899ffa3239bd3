"""Errors that a user can act on, and the exit codes of every verb."""

from typing import Any

from bench.printable import printable

DONE = 0
BUG = 1  # in bench itself; the traceback is saved
USAGE = 2
CANNOT = 3  # this machine cannot
GATE = 4  # a gate the user asked for failed
PARTIAL = 5  # some rows failed, the rest are kept
INTERRUPTED = 130
TERMINATED = 143

WORDS = {
    BUG: "bug",
    USAGE: "usage",
    CANNOT: "cannot",
    GATE: "gate",
    PARTIAL: "partial",
    INTERRUPTED: "interrupted",
    TERMINATED: "terminated",
}


class BenchError(Exception):
    """What happened (`message`), what to do about it (`hint`), and the exit code. Together at most four lines."""

    code = BUG

    def __init__(self, message: str, hint: str = "", code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    @property
    def lines(self) -> list[str]:
        """The text for a terminal."""
        first, *rest = map(printable, [*self.message.splitlines(), *self.hint.splitlines()])
        return [f"error: {first}", *(f"  {line}" for line in rest)]

    def document(self) -> dict[str, Any]:
        """What `--json` prints instead of a result."""
        error = {"code": WORDS[self.code], "message": self.message, "hint": self.hint}
        return {"schema": "bench.error/1", "error": error, "exit": self.code}


class UsageError(BenchError):
    """The command line, a configuration file or a name in it is wrong."""

    code = USAGE


class CannotError(BenchError):
    """This machine lacks what was asked for."""

    code = CANNOT
