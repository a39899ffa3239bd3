"""Gates that a user may ask for: one fails only when the verdict and the threshold agree. Doubt fails none."""

from collections.abc import Iterator, Sequence

from bench.analysis.comparison import (
    ACCURACY,
    DIVERGED,
    EFFICIENCY,
    ENERGY,
    HIGHER,
    LOSS,
    LOWER,
    MEMORY,
    THROUGHPUT,
    Compared,
    Comparison,
    Machines,
)
from bench.analysis.result import INVALID, SLOWER

GATES = {  # name -> what it looks at, and the word that fails it
    "slower": ((THROUGHPUT,), SLOWER),
    "less-efficient": ((EFFICIENCY,), LOWER),
    "more-memory": ((MEMORY,), HIGHER),
    "more-energy": ((ENERGY,), HIGHER),
    "diverged": ((LOSS, ACCURACY), DIVERGED),
    "invalid": ((THROUGHPUT,), INVALID),  # nothing could be compared, which no other gate takes for a failure
}


def failed(found: Comparison, gates: Sequence[str]) -> Iterator[str]:
    """The gates that fail, each with the row it fails on.

    The verdict says that the interval excludes equality; on top of that the estimate itself must lie beyond the margin
    of the comparison (`--threshold`). INCONCLUSIVE fails nothing, however far the estimate.
    """
    if "invalid" in gates and not found.comparable:
        yield f"invalid: nothing could be compared ({'; '.join(found.obstacles) or 'no row has a partner'})"
        return
    for gate in gates:
        metrics, word = GATES[gate]
        for row in found.rows:
            said = row.metric in metrics and row.verdict is not None and row.verdict.word == word
            if said and (word == INVALID or _beyond(row, found.margin)):
                yield f"{gate}: {row.metric} of {row.configuration}"


def slow_machines(found: Machines, gates: Sequence[str]) -> Iterator[str]:
    """The gate `slower` over many machines: each machine that is named SLOWER."""
    if "slower" in gates:
        for fleet in found.fleets:
            for machine in fleet.machines:
                if machine.word == SLOWER:
                    yield f"slower: {machine.party.name} on {fleet.configuration}"


def _beyond(row: Compared, margin: float) -> bool:
    if row.ratio is not None:
        return not 1 / (1 + margin) <= row.ratio.estimate <= 1 + margin
    return row.difference is not None  # accuracy has a margin of its own, which its verdict has applied
