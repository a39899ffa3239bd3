"""B compared with A: fingerprints, then every row that both have, every quantity, one verdict each. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from bench.analysis.comparing import comparable, dna_effects, quantities
from bench.analysis.comparing.nouns import (
    ACCURACY,
    EFFICIENCY,
    ENERGY,
    LOSS,
    MEMORY,
    THROUGHPUT,
    Comparison,
    Difference,
    Quantity,
    RowQuantity,
)
from bench.analysis.comparing.operands import Operand
from bench.analysis.result import INCONCLUSIVE, INVALID, Row, Verdict
from bench.analysis.validity import same_work
from bench.store.schema import NOT_APPLICABLE


def compare(a: Operand, b: Operand, margin: float, *, other_source: bool = False) -> Comparison:
    """Every quantity of every row that both sides have; rows of one study are paired by round.

    Args:
        a: what it is compared with.
        b: what is judged: FASTER means that B is.
        margin: differences below it count as none, as a share.
        other_source: compare although the user's own files differ: what then differs may be the code's.
    """
    paired = a.study.study_id == b.study.study_id and a.launch_id is None and b.launch_id is None
    against = () if paired else comparable.obstacles(a.study, b.study, a.plan, b.plan)
    code = () if paired else tuple(comparable.other_code(a.launches, b.launches))
    against = against if other_source else (*against, *code)
    against = against if paired else (*against, *comparable.other_data(a.launches, b.launches))
    matched = [] if against else _matched(a, b, paired=paired)
    rows = [each for mine, theirs in matched for each in _quantities(a, b, mine, theirs, margin, paired=paired)]
    lonely = () if paired or against else comparable.unmatched(a.rows, b.rows)
    found = Comparison(
        a=a.party,
        b=b.party,
        obstacles=against,
        dna=() if paired else fingerprints(a, b),
        rows=tuple(rows),
        unmatched=tuple(lonely),
        notes=(),
        margin=margin,
        is_one_machine=dna_effects.is_one_machine(a.dna, b.dna) if a.dna and b.dna else False,
    )
    mixed = ("The source of the model differs: what differs may be the code's as well as the machine's.",)
    said = (*(mixed if code and other_source else ()), *(() if paired or against else _unread(a, b)))
    return replace(found, notes=(*_notes(found, paired=paired), *said))


def fingerprints(a: Operand, b: Operand) -> tuple[Difference, ...]:
    """Where the machines, their software and the threads of their ranks differ."""
    (mine, gaps), (theirs, more_gaps) = (dna_effects.facts(side.dna) for side in (a, b))
    mine, theirs = (
        {**facts, **_of_launches(side), **same_work.facts(side.launches)} for facts, side in ((mine, a), (theirs, b))
    )
    return dna_effects.differences(mine, theirs, gaps | more_gaps)


def _unread(a: Operand, b: Operand) -> tuple[str, ...]:
    """What of the machines could not be compared, because a side could not read it."""
    unread = dna_effects.unread_by(a.dna, b.dna)
    return (f"Not compared, since it could not be read: {', '.join(sorted(unread))}.",) if unread else ()


def _of_launches(side: Operand) -> dict[str, set[str]]:
    by_facts: dict[str, set[str]] = {}
    for each in (launch for row in side.rows for launch in side.ended(row.key)):
        facts = {"threads_per_rank": each.threads_per_rank, "device_names": ", ".join(sorted(set(each.device_names)))}
        for name, value in facts.items():
            if value:
                by_facts.setdefault(f"launch.{each.configuration}.{name}", set()).add(str(value))
    return by_facts


def _matched(a: Operand, b: Operand, *, paired: bool) -> list[tuple[Row, Row]]:
    if paired:
        return [(mine, theirs) for mine in a.rows for theirs in b.rows if mine.key != theirs.key]
    theirs_of = {row.configuration: row for row in b.rows}
    pairs = [(row, theirs_of.get(row.configuration)) for row in a.rows]
    # What neither machine can run was not measured on either, and is no row of the comparison.
    return [
        (mine, theirs)
        for mine, theirs in pairs
        if theirs is not None and {mine.status, theirs.status} != {NOT_APPLICABLE}
    ]


def _quantities(a: Operand, b: Operand, mine: Row, theirs: Row, margin: float, *, paired: bool) -> list[RowQuantity]:
    """All quantities of one pair of rows; of a row without a sound number, only why."""
    refused = {
        name: (row, why) for name, row in (("A", mine), ("B", theirs)) if (why := comparable.no_number(row)) is not None
    }
    if refused:
        word = INCONCLUSIVE if all(comparable.is_noise(row) for row, _ in refused.values()) else INVALID
        reasons = tuple(f"{name}: {why}" for name, (_, why) in refused.items())
        verdict = Verdict(word=word, reasons=reasons, detectable=None, rounds_needed=None)
        return [_compared(theirs, THROUGHPUT, "samples/s", Quantity(verdict=verdict))]
    launches = a.ended(mine.key), b.ended(theirs.key)
    doubts = [
        f"{name} is suspect: {doubt}"
        for name, row, its in zip("AB", (mine, theirs), launches, strict=True)
        for doubt in comparable.doubts(row, its)
    ]
    same_work = mine.configuration.batch_global == theirs.configuration.batch_global
    speed = (
        quantities.throughput_by_round(a, mine, theirs, margin)
        if paired
        else quantities.throughput(a, b, mine, theirs, margin)
    )
    seeds = a.accuracy.get(mine.key, {}), b.accuracy.get(theirs.key, {})
    loss = quantities.loss(a.plan.workload, *launches, margin, same_work=same_work)
    learnt = quantities.accuracy(*seeds, same_losses=quantities.same_bits(loss)) if any(seeds) and same_work else None
    found = {
        (THROUGHPUT, "samples/s"): _doubted(speed, doubts),
        (EFFICIENCY, ""): None if paired else _doubted(quantities.efficiency(a, b, mine, theirs, margin), doubts),
        (MEMORY, "bytes"): quantities.peak_memory(*launches, margin),
        (ENERGY, "J/sample"): _doubted(quantities.energy(*launches, margin), doubts),
        (LOSS, ""): loss,
        (ACCURACY, ""): learnt,
    }
    return [_compared(theirs, metric, unit, each) for (metric, unit), each in found.items() if each is not None]


def _doubted(found: Quantity | None, doubts: Sequence[str]) -> Quantity | None:
    """No word rests on launches that something casts doubt on; more of the same would not help, measuring again may."""
    if found is None or found.verdict is None or not doubts:
        return found
    reasons = (*doubts, *found.verdict.reasons)
    doubted = replace(found.verdict, word=INCONCLUSIVE, reasons=reasons, rounds_needed=None, beyond_margin=False)
    return replace(found, verdict=doubted)


def _compared(row: Row, metric: str, unit: str, found: Quantity) -> RowQuantity:
    return RowQuantity(
        **vars(found),
        configuration=row.configuration,
        metric=metric,
        unit=unit,
    )


def _notes(found: Comparison, *, paired: bool) -> tuple[str, ...]:
    if paired:
        return ("Both are rows of one study: paired by round, so that what drifts with the machine cancels.",)
    if not found.comparable:
        return ()
    sentences = {
        None: "One side does not tell its machine, so nobody knows whether these are two.",
        False: "Two machines: what follows is about these two boxes, not about their kinds.",
        True: "The same machine at two times: what differs from one session to the next is part of every difference.",
    }[found.same_machine]
    judged_rows = sum(row.verdict is not None and row.verdict.word != INVALID for row in found.rows)
    each = f"{judged_rows} verdicts, each wrong at most once in 20: the more there are, the likelier that one is."
    return (sentences, *([each] if judged_rows > 1 else []))
