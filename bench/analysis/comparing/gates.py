"""Gates that a user may ask for. One fails only when the whole interval lies beyond the threshold; doubt decides none.

What could not be told (too few launches, a row that is not sound or that one side lacks) is *undecided*, with the
reason: never a failure, and never a silent pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.analysis.comparing.nouns import (
    ACCURACY,
    DIVERGED,
    EFFICIENCY,
    ENERGY,
    HIGHER,
    LOSS,
    LOWER,
    MEMORY,
    THROUGHPUT,
    Comparison,
    MachineRate,
    Machines,
    RowQuantity,
)
from bench.analysis.result import EQUIVALENT, FASTER, INVALID, SLOWER

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"

GATES = {  # name -> what it looks at, and the word that fails it
    "slower": ((THROUGHPUT,), SLOWER),
    "less-efficient": ((EFFICIENCY,), LOWER),
    "more-memory": ((MEMORY,), HIGHER),
    "more-energy": ((ENERGY,), HIGHER),
    "diverged": ((LOSS, ACCURACY), DIVERGED),
    "invalid": ((THROUGHPUT,), INVALID),  # nothing could be compared, which no other gate takes for a failure
}
_GRAVEST_FIRST = (FAIL, UNDECIDED, PASS)


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What one gate says of one row."""

    gate: str
    about: str  # the quantity and the row, or the machine
    decision: str  # PASS, FAIL or UNDECIDED
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.gate}: {self.about}" + (f" ({self.reason})" if self.reason else "")


def rulings(found: Comparison, gates: Sequence[str]) -> tuple[Ruling, ...]:
    """Every gate on every row that it is asked of."""
    rulings_ = []
    for gate in gates:
        mine = list(_invalid(found) if gate == "invalid" else _of_gate(gate, found))
        rulings_ += mine or [
            Ruling(gate=gate, about="every row", decision=UNDECIDED, reason="no row has this quantity")
        ]
    return tuple(rulings_)


def decision(ruled: Sequence[Ruling]) -> str | None:
    """What all rulings come to; None where no gate was asked for."""
    return next((each for each in _GRAVEST_FIRST if any(ruling.decision == each for ruling in ruled)), None)


def of_machines(found: Machines, gates: Sequence[str]) -> tuple[Ruling, ...]:
    """The gate `slower` over many machines: each machine that is shown SLOWER by more than the margin fails it."""
    about = "over many machines only the gate slower can be tried"
    undecided = [Ruling(gate=gate, about=about, decision=UNDECIDED) for gate in gates if gate != "slower"]
    if "slower" not in gates:
        return tuple(undecided)
    undecided += [Ruling(gate="slower", about=each, decision=UNDECIDED) for each in found.left_out]
    for fleet in found.rows:
        row = fleet.configuration.key
        undecided += [Ruling(gate="slower", about=f"{row} of {each}", decision=UNDECIDED) for each in fleet.absent]
        undecided += [_of_machine(machine, f"{machine.party.name} on {row}") for machine in fleet.machines]
    return tuple(undecided)


def _of_machine(machine: MachineRate, about: str) -> Ruling:
    verdict = machine.verdict
    if verdict.word in {EQUIVALENT, FASTER}:
        return Ruling(gate="slower", about=about, decision=PASS)
    if verdict.word == SLOWER and verdict.beyond_margin:
        return Ruling(gate="slower", about=about, decision=FAIL)
    return Ruling(gate="slower", about=about, decision=UNDECIDED, reason="; ".join(verdict.reasons))


def _invalid(found: Comparison) -> Iterator[Ruling]:
    if not found.comparable:
        why = "; ".join((*found.obstacles, *_reasons(found.rows))) or "no row has a partner"
        yield Ruling(gate="invalid", about="nothing could be compared", decision=FAIL, reason=why)
        return
    for row in found.rows:
        if row.metric == THROUGHPUT and row.verdict is not None:
            kind = FAIL if row.verdict.word == INVALID else PASS
            yield Ruling(gate="invalid", about=_about(row), decision=kind, reason=_why(row) if kind == FAIL else "")


def _of_gate(gate: str, found: Comparison) -> Iterator[Ruling]:
    if found.obstacles:
        yield Ruling(gate=gate, about="not comparable", decision=UNDECIDED, reason="; ".join(found.obstacles))
    for reason in found.unmatched:
        yield Ruling(gate=gate, about=reason, decision=UNDECIDED)
    for rows in _by_row(found.rows):
        yield from _of_row(gate, rows)


def _by_row(rows: Sequence[RowQuantity]) -> Iterator[list[RowQuantity]]:
    """The quantities of each pair of rows, of which throughput is always the first."""
    starts = [place for place, row in enumerate(rows) if row.metric == THROUGHPUT]
    for start, stop in zip(starts, [*starts, len(rows)][1:], strict=True):
        yield list(rows[start:stop])


def _of_row(gate: str, rows: Sequence[RowQuantity]) -> Iterator[Ruling]:
    metrics, word = GATES[gate]
    mine = [row for row in rows if row.metric in metrics]
    if not mine and rows[0].ratio is None:  # refused as a whole, so that no quantity of it was looked at
        mine = [rows[0]]
    judged = [row for row in mine if row.verdict is not None] or mine
    ruled = [_of_quantity(gate, row, word) for row in judged]
    yield from sorted(ruled, key=lambda each: _GRAVEST_FIRST.index(each.decision))[:1]


def _of_quantity(gate: str, row: RowQuantity, word: str) -> Ruling:
    verdict = row.verdict
    said = verdict.word if verdict is not None else None
    if verdict is not None and said == word and verdict.beyond_margin:
        return Ruling(gate=gate, about=_about(row), decision=FAIL)
    if verdict is not None and said == word:
        why = f"{verdict.reasons[0]}, and reaches within the threshold"
        return Ruling(gate=gate, about=_about(row), decision=UNDECIDED, reason=why)
    if said in {EQUIVALENT, FASTER, SLOWER, HIGHER, LOWER}:
        return Ruling(gate=gate, about=_about(row), decision=PASS)
    return Ruling(gate=gate, about=_about(row), decision=UNDECIDED, reason=_why(row))


def _about(row: RowQuantity) -> str:
    return f"{row.metric} of {row.configuration.key}"


def _why(row: RowQuantity) -> str:
    return "; ".join((*row.reasons, *(row.verdict.reasons if row.verdict else ()))) or "not measured"


def _reasons(rows: Sequence[RowQuantity]) -> Iterator[str]:
    yield from (f"{row.configuration.key}: {_why(row)}" for row in rows if row.metric == THROUGHPUT)
