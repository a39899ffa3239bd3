"""One finding about the machine, and what follows from several."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from bench.dna.facts import READ_FAILURES
from bench.errors import CannotError

OK, WARNING, REFUSAL = "ok", "warning", "refusal"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at. A fact that cannot be read is no check at all."""

    name: str  # for scripts: stays the same
    level: str  # OK, WARNING or REFUSAL
    text: str  # what was found, in one line
    fix: str = ""  # what to do about it; empty when it is well


def ok(name: str, text: str) -> Check:
    return Check(name=name, level=OK, text=text)


def warning(name: str, text: str, fix: str) -> Check:
    return Check(name=name, level=WARNING, text=text, fix=fix)


def refusal(name: str, text: str, fix: str) -> Check:
    return Check(name=name, level=REFUSAL, text=text, fix=fix)


def gathered(readers: Iterable[Callable[[], Check | None]]) -> list[Check]:
    """What each reader found; one that cannot read its fact, or has none to tell, gives no check."""
    found = []
    for reader in readers:
        with suppress(*READ_FAILURES):
            if (check := reader()) is not None:
                found.append(check)
    return found


def tolerated(checks: Sequence[Check], name: str) -> list[Check]:
    """The same checks, where what one of them refuses is only warned of: the user has said to go on beside it."""
    fix = "what is measured beside it is slower, and its rows say so"
    return [
        replace(check, level=WARNING, fix=fix) if (check.name, check.level) == (name, REFUSAL) else check
        for check in checks
    ]


def refuse(checks: Sequence[Check]) -> None:
    """Stop here if a check says so.

    Raises:
        CannotError: with the first refusal's text and fix, and how many there are besides.
    """
    refusals = [check for check in checks if check.level == REFUSAL]
    if not refusals:
        return
    first, others = refusals[0], len(refusals) - 1
    more = f"\nand {others} more reason{'s' * (others != 1)} not to start: bench doctor" if others else ""
    raise CannotError(first.text + more, first.fix)
