"""Why an accuracy may be low: causes with what was seen, their usual cost and what to do."""

import textwrap
from collections.abc import Iterator

from bench.analysis.digits import significant
from bench.analysis.result import Cause, Diagnosis
from reports.text import fmt

_WIDTH = 100


def lines(found: Diagnosis, possible: str | None = None) -> Iterator[str]:
    """For a person.

    Args:
        found: of one row.
        possible: a sentence about what is known to be possible.
    """
    after = "no accuracy was recorded" if found.top1 is None else f"top-1 {fmt.percent(found.top1, 2)}"
    yield f"{found.configuration}: {after}".replace(fmt.NARROW, " ")
    if possible:
        yield from textwrap.wrap(possible, _WIDTH)
    if not found.causes:
        yield "Nothing that usually costs accuracy was found in the record."
    elif all(cause.low is None for cause in found.causes):
        yield "It diverged, so nothing else is asked of its recipe:"
    else:
        yield "The usual causes that its record has, the costliest first; costs are those of others, and do not add up:"
    for number, cause in enumerate(found.causes, 1):
        yield ""
        yield from textwrap.wrap(
            f"{number}. {cause.name} ({_cost(cause)}): {cause.seen}", _WIDTH, subsequent_indent="   "
        )
        yield from _hanging("fix", cause.fix)
        yield from _hanging("from", cause.source)
    if found.sound:
        yield ""
        yield from textwrap.wrap(f"Looked at and not found: {fmt.listed(found.sound)}.", _WIDTH)


def _hanging(lead: str, text: str) -> list[str]:
    return textwrap.wrap(f"   {lead}: {text}", _WIDTH, subsequent_indent="     ", break_on_hyphens=False)


def _cost(cause: Cause) -> str:
    if cause.low is None or cause.high is None:
        return "everything that came after"
    low, high = significant(cause.low, 2), significant(cause.high, 2)
    return f"{low} points" if low == high else f"usually {low} to {high} points"
