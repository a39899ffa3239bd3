"""The verdict of a study in plain words: true of every row it names, and no ratio without its baseline's rate."""

from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, INVALID, SLOWER, Row, Study, Verdict
from bench.store.schema import NOT_APPLICABLE, NOT_RUN, SUSPECT
from reports.text import fmt, names


def sentence(study: Study) -> str:
    """A few short sentences: the row that was asked about, the fairest rival to it, and what is missing."""
    measured = [row for row in study.rows if row.throughput is not None]
    if not measured:
        return _nothing(study)
    asked = headlines(study)
    parts = [_about(row, study) for row in asked] or [_single_row(measured[0], study)]
    parts += [_rival(row, study) for row in study.rows if row not in asked and _is_rival(row)]
    parts += [_suspicion(row, study) for row in (study.baseline, *asked) if row is not None and is_suspect(row)]
    if study.quick and len(study.rows) > 1:  # one alone has nothing that a verdict could be against
        rounds = f"{fmt.count(study.title.rounds, 'round')} {'is' if study.title.rounds == 1 else 'are'}"
        parts.append(f"Estimates only: {rounds} too few for a verdict; six can give one: --rounds 6.")
    if missing := len(study.rows) - len(measured):
        parts.append(f"{missing} of {fmt.count(len(study.rows), 'row')} {'have' if missing > 1 else 'has'} no number.")
    return " ".join(parts)


def headlines(study: Study) -> list[Row]:
    """The row the study is about: measured, not the baseline, on the most ranks; ddp before dp before single.

    When that row is INVALID, the next one that is not comes second, so that what did come out is told as well.
    """
    order = ("single", "dp", "ddp")
    others = [row for row in study.rows if row.throughput is not None and not row.is_baseline]
    others.sort(key=lambda row: (row.configuration.ranks, order.index(row.configuration.strategy)), reverse=True)
    if others and others[0].is_invalid:
        return [others[0], *[row for row in others if not row.is_invalid][:1]]
    return others[:1]


def baseline_rate(study: Study) -> str | None:
    """E.g. `1 302 samples/s of one rank`: what every ratio is a multiple of; None when nothing can be."""
    baseline = study.baseline
    if baseline is None or baseline.throughput is None or baseline.is_invalid:
        return None
    whose = "one rank" if baseline.configuration.ranks == 1 else fmt.count(baseline.configuration.ranks, "rank")
    return f"{fmt.point(baseline.throughput)} samples/s of {whose}"


def is_suspect(row: Row) -> bool:
    """The row has a number that something casts doubt on, short of refusing it."""
    return row.status == SUSPECT and not row.is_invalid


def all_reasons(row: Row) -> tuple[str, ...]:
    """The row's reasons and its verdict's, each once."""
    return tuple(dict.fromkeys((*row.reasons, *(row.verdict.reasons if row.verdict else ()))))


def judged(row: Row, verdict: Verdict, study: Study) -> str:
    """The word of a row's verdict, and what it does not say by itself."""
    within = fmt.percent(study.margin, 0) if study.margin >= 0.01 else fmt.percent(study.margin)
    match verdict.word:
        case word if word in {FASTER, SLOWER} and not verdict.beyond_margin:
            return f"{word}, though perhaps by less than the margin of {within}"
        case word if word == EQUIVALENT:
            return f"{word}: the same within {within}"
        case word if word == INCONCLUSIVE:
            rounds = row.speedup.n if row.speedup is not None else study.title.rounds
            return word + _what_it_would_take(verdict, within, rounds)
        case word if word == INVALID:
            return f"{word}: {_because(verdict.reasons)}"
    return verdict.word


def _about(row: Row, study: Study) -> str:
    name, base, verdict = names.phrase(row, study.rows), baseline_rate(study), row.verdict
    if verdict is not None and row.is_invalid:
        return f"{name} ran, but the result is {judged(row, verdict, study)}."
    if row.speedup is None or base is None:
        why = row.reasons_null.get("speedup") or _without_baseline(study)
        return f"{_rate_only(row, study)[:-1]}, with no speedup to give: {fmt.clean(why)}."
    bounds = fmt.interval(row.speedup)
    text = f"{name} gives {fmt.point(row.speedup)}x {bounds}{' ' * bool(bounds)}the {base}"
    if row.efficiency is not None:
        text += f", {fmt.percent_point(row.efficiency)} efficient"
    if verdict is not None and not study.quick:
        text += f"; {judged(row, verdict, study)}"
    return f"{text}."


def _is_rival(row: Row) -> bool:
    """One process with more cores: what a user would do instead of starting ranks."""
    return (
        row.configuration.strategy == "single"
        and not row.is_baseline
        and row.speedup is not None
        and not row.is_invalid
    )


def _rival(row: Row, study: Study) -> str:
    bounds = fmt.interval(row.speedup)
    return f"{names.phrase(row, study.rows)} gives {fmt.point(row.speedup)}x{' ' * bool(bounds)}{bounds}."


def _single_row(row: Row, study: Study) -> str:
    """The only row that was measured."""
    if row.verdict is not None and row.is_invalid:
        return f"{names.phrase(row, study.rows)} ran, but the result is {judged(row, row.verdict, study)}."
    return _rate_only(row, study)


def _rate_only(row: Row, study: Study) -> str:
    bounds = fmt.interval(row.throughput)
    rate = f"{fmt.point(row.throughput)} samples/s{' ' * bool(bounds)}{bounds}"
    return f"{names.phrase(row, study.rows)} trains {rate}."


def _suspicion(row: Row, study: Study) -> str:
    return f"{names.phrase(row, study.rows)} is suspect: quote it only with its reasons."


def _without_baseline(study: Study) -> str:
    if study.baseline is None:
        return "no baseline was run"
    what = "is INVALID" if study.baseline.is_invalid else "has no number"
    return f"the baseline, {names.phrase(study.baseline, study.rows)}, {what}"


def _nothing(study: Study) -> str:
    statuses = {row.status for row in study.rows}
    reasons = _because(tuple(dict.fromkeys(reason for row in study.rows for reason in all_reasons(row))))
    what = {
        frozenset({NOT_APPLICABLE}): "No row can run on this machine",
        frozenset({NOT_RUN}): "No row was run",
    }.get(frozenset(statuses), "No row gave a number")
    return f"{what}{': ' * bool(reasons)}{reasons}."


def _what_it_would_take(verdict: Verdict, within: str, rounds: int) -> str:
    text = ""
    if verdict.detectable is not None:
        share = fmt.percent(verdict.detectable - 1)
        text = f": {fmt.count(rounds, 'round')} could only have shown a difference of {share} or more"
    if verdict.rounds_needed is not None:
        more = fmt.count(verdict.rounds_needed, "round")
        text += (
            f"; about {more} would show one of {within}" if text else f": {more} would show a difference of {within}"
        )
    return text


def _because(reasons: tuple[str, ...]) -> str:
    return "; ".join(fmt.clean(reason).rstrip(".") for reason in reasons)
