"""With which exit code a study ends: the gates that were asked for, and rows without a number."""

from bench.analysis.result import INVALID, Row, Study
from bench.errors import DONE, PARTIAL, UsageError
from bench.settings import Settings

ACCURACY = "accuracy"  # the gate: every row reaches its profile's targets


def gates(fail_on: str | None, settings: Settings) -> tuple[str, ...]:
    """The gates that were asked for.

    Raises:
        UsageError: no such gate, or nothing that it could be compared with.
    """
    asked = tuple(word.strip() for word in (fail_on or "").split(",") if word.strip())
    for word in asked:
        if word != ACCURACY:
            raise UsageError(f"--fail-on: no gate '{word}'", f"there is {ACCURACY}; others are of: bench compare")
    if asked and not settings.targets:
        raise UsageError("--fail-on accuracy: nothing says which accuracy", "a profile does: [targets] top1 = 0.9")
    if asked and settings.measure.epochs is None:
        raise UsageError("--fail-on accuracy: only whole epochs are evaluated", "add --epochs N")
    return asked


def settled(code: int, findings: Study) -> int:
    """The exit code once it is known what the rows came to."""
    return PARTIAL if code == DONE and any(_failed(row) for row in findings.rows) else code


def _failed(row: Row) -> bool:
    """Some launch of the row gave no number, or its numbers must not be used."""
    return bool(row.launches_failed) or (row.verdict is not None and row.verdict.word == INVALID)
