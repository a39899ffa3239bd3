"""B compared with A, in the terminal: fingerprints first, then a table of verdicts, their reasons, and one sentence."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from rich.console import Console
from rich.text import Text

from bench.analysis import result
from bench.analysis.comparing.nouns import (
    ACCURACY,
    DIVERGED,
    EFFICIENCY,
    HIGHER,
    LOWER,
    MEMORY,
    THROUGHPUT,
    Comparison,
    Difference,
    RowQuantity,
    StudyRef,
)
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, INVALID, SLOWER, Estimate
from reports.text import fmt, names
from reports.text.columns import Column, table_lines
from reports.text.console import paragraph, show_blocks

STYLES = {
    result.FASTER: "green",
    result.SLOWER: "red",
    result.INCONCLUSIVE: "yellow",
    result.INVALID: "red",
    DIVERGED: "red",
}
_CHANGES = {"numbers": "can change numbers", "speed": "can change speed", "cosmetic": "cosmetic"}
_LABELS = {THROUGHPUT: "samples/s"}


def show(found: Comparison, console: Console, *, wide: bool = False) -> None:
    """Print a comparison; columns give way until it fits, no row is wrapped."""
    blocks: list[list[Text]] = [
        [line for name, party in (("A", found.a), ("B", found.b)) for line in _party(name, party, console)],
        _fingerprints(found, console),
        *_table(found, console, wide=wide),
        paragraph("Verdict  ", sentence(found), console, "bold"),
    ]
    show_blocks(blocks, console)


def sentence(found: Comparison) -> str:
    """What came out, each speed first in one short sentence a word, then what else differs."""
    if found.obstacles:
        return f"Not comparable, so there is no ratio: {'; '.join(map(fmt.clean, found.obstacles))}."
    if not found.rows:
        return f"Nothing to compare: {'; '.join(map(fmt.clean, found.unmatched)) or 'no row has a partner'}."
    speeds = [row for row in found.rows if row.metric == THROUGHPUT and row.verdict is not None]
    parts = [_speeds(word, mine, found) for word in _ORDER if (mine := [row for row in speeds if _word(row) == word])]
    others = [row for row in found.rows if row.metric != THROUGHPUT and _word(row) in {HIGHER, LOWER, DIVERGED}]
    parts += [f"{_capital(row.metric)} of {names.phrase(row, found.rows)} {_differs(row)}." for row in others]
    return " ".join(parts)


_ORDER = (SLOWER, FASTER, EQUIVALENT, INCONCLUSIVE, INVALID)


def more_launches(row: RowQuantity) -> int | None:
    """How many more launches a side would decide it; None when that is not known."""
    if row.verdict is None or row.verdict.rounds_needed is None:
        return None
    return row.verdict.rounds_needed - (row.ratio.n if row.ratio else 0)


def columns_of(found: Comparison) -> tuple[Column, ...]:
    """Every column for a page, each line with the row it is about; empty when no row has anything."""
    rows = [row for row in found.rows if row.a is not None or row.b is not None or row.verdict is not None]
    if not rows:
        return ()
    row_names = Column(
        key="row", header="row", cells=tuple(names.phrase(row, found.rows) for row in rows), align="left"
    )
    columns = (row_names, *_columns(rows))
    return tuple(replace(each, cells=tuple(cell.strip() for cell in each.cells)) for each in columns)


def heading(found: Comparison) -> str:
    """What is compared with what, for a section of a report."""
    return f"{_place(found.b)} against {_place(found.a)}"


def caption(found: Comparison) -> str:
    """Under or over the table: which is which, and what counts as no difference."""
    return f"B over A, margin {fmt.percent(found.margin)}. A: {_place(found.a)}; B: {_place(found.b)}."


def _place(party: StudyRef) -> str:
    return fmt.clean(party.launch_id or party.study_id)


def notes_of(found: Comparison) -> tuple[str, ...]:
    """What stands under the table."""
    return tuple(dict.fromkeys(_notes(found, ())))


def _speeds(word: str, rows: Sequence[RowQuantity], found: Comparison) -> str:
    who = fmt.listed(names.phrase(row, found.rows) for row in rows)
    within = fmt.percent(found.margin, None if round(100 * found.margin) != 100 * found.margin else 0)
    if word in {FASTER, SLOWER}:
        ratios = (
            f"{names.phrase(row, found.rows)} ({fmt.with_interval(row.ratio)} of A's {fmt.point(row.a)} samples/s"
            f"{'' if row.verdict and row.verdict.beyond_margin else f', perhaps by less than {within}'})"
            for row in rows
        )
        return f"B is {word} on {fmt.listed(ratios)}."
    if word == EQUIVALENT:
        return f"EQUIVALENT, the same within {within}, on {who}."
    if word == INVALID:
        return f"INVALID on {who}: no ratio."
    more = [each for row in rows if (each := more_launches(row))]
    needed = f"; needs at least {fmt.count(max(more), 'more launch')} a side" if more else ""
    return f"INCONCLUSIVE on {who}{needed}."


def _differs(row: RowQuantity) -> str:
    if row.difference is not None:
        return f"{_word(row)}: B is {_points(row.difference)} from A"
    way = "higher" if row.ratio is not None and row.ratio.estimate > 1 else "lower"
    return f"{'DIVERGED' if _word(row) == DIVERGED else 'is ' + way} ({fmt.with_interval(row.ratio)} of A's)"


def _party(name: str, party: StudyRef, console: Console) -> list[Text]:
    what = party.launch_id or party.study_id
    facts = [what, fmt.clean(party.model), fmt.clean(party.data), party.precision]
    when = party.created_at[:16].replace("T", " ") + " UTC"
    ids = f"hardware {party.hw_id or 'not told'}, software {party.sw_id or 'not told'}"
    return [
        *paragraph(f"{name:<9}", " · ".join(facts), console, "bold"),
        *paragraph(" " * 9, f"{when} · {ids}", console),
    ]


def _fingerprints(found: Comparison, console: Console) -> list[Text]:
    if not found.dna:
        alike = {True: "the same hardware", False: "other hardware", None: "hardware not told"}[found.same_machine]
        return paragraph("DNA      ", f"no field differs; {alike}", console, "bold")
    many = fmt.count(len(found.dna), "field") + (" differ" if len(found.dna) > 1 else " differs")
    lines = paragraph("DNA      ", many, console, "bold")
    for (effect, _), group in groupby(found.dna, key=lambda each: (each.effect, each.field.rpartition(".")[0])):
        for difference in _differences(list(group)):
            lines += paragraph(f"  {_CHANGES[effect]:<20}", difference, console)
    return lines


def _differences(group: Sequence[Difference]) -> list[str]:
    """One line a field; fields of one canary table, whose values are hashes, in one."""
    if group[0].field.startswith("numeric.") and len(group) > 1:
        place = group[0].field.rpartition(".")[0]
        fields = [fmt.clean(each.field.rpartition(".")[2]) for each in group]
        return [f"{place}: {len(fields)} differ: {', '.join(fields[:4])}{', …' * (len(fields) > 4)}"]
    return [f"{fmt.clean(each.field)}: {_value(each.a)} in A, {_value(each.b)} in B" for each in group]


def _value(text: str | None) -> str:
    return "not there" if text is None else fmt.clean(text)[:60]


def _table(found: Comparison, console: Console, *, wide: bool) -> Iterator[list[Text]]:
    """The table and its notes; rows on which neither side has anything become a note."""
    rows = [row for row in found.rows if row.a is not None or row.b is not None or row.verdict is not None]
    gone: tuple[str, ...] = ()
    if rows:
        headings = {
            number: names.phrase(row, found.rows)
            for number, row in enumerate(rows)
            if not number or rows[number - 1].configuration.key != row.configuration.key
        }
        lines, gone = table_lines(_columns(rows), console, STYLES, wide=wide, headings=headings)
        yield lines
    notes = list(dict.fromkeys(_notes(found, gone)))
    yield [line for note in notes for line in paragraph("- ", note, console)]


def _columns(rows: Sequence[RowQuantity]) -> tuple[Column, ...]:
    def cells(make: Callable[[RowQuantity], str]) -> tuple[str, ...]:
        return tuple(make(row) for row in rows)

    bare = Column(key="ratio", header="B/A", cells=cells(lambda row: _ratio(row, interval=False)), align="point")
    return (
        Column(key="metric", header="quantity", cells=cells(lambda row: f"  {_label(row)}"), align="left"),
        Column(key="a", header="A", cells=cells(lambda row: _amount(row, row.a)), drop=2),
        Column(key="b", header="B", cells=cells(lambda row: _amount(row, row.b)), drop=3),
        Column(
            key="ratio",
            header=f"B/A [95{fmt.NARROW}%]",
            cells=cells(lambda row: _ratio(row, interval=True)),
            align="point",
            drop=1,
            narrower=bare,
        ),
        Column(key="n", header="n", cells=cells(_launches), drop=1),
        Column(key="verdict", header="verdict", cells=cells(lambda row: _word(row) or ""), align="left"),
    )


def _notes(found: Comparison, gone: Sequence[str]) -> Iterator[str]:
    for row in found.rows:
        name = f"{names.phrase(row, found.rows)}, {row.metric}"
        if row.verdict is not None:
            yield from (f"{name}: {fmt.clean(reason)}." for reason in row.reasons)
        else:
            yield from (f"{_capital(row.metric)}: {fmt.clean(reason)}." for reason in row.reasons)
        if row.verdict is not None and (row.verdict.word in {INCONCLUSIVE, INVALID} or len(row.verdict.reasons) > 1):
            yield f"{name}: {'; '.join(map(fmt.clean, row.verdict.reasons))}."
    yield from (f"{fmt.clean(each)}." for each in found.unmatched if found.rows)
    yield from found.notes
    if gone:
        yield f"Left out to fit the width: {', '.join(gone)} (--wide shows them)."


def _label(row: RowQuantity) -> str:
    return f"{row.metric}, {row.unit}" if row.unit == "J/sample" else _LABELS.get(row.metric, row.metric)


def _amount(row: RowQuantity, estimate: Estimate | None) -> str:
    if estimate is None:
        return fmt.MISSING
    if row.metric == MEMORY:
        return fmt.size(estimate.estimate)
    return fmt.percent_point(estimate) if row.metric in {EFFICIENCY, ACCURACY} else fmt.point(estimate)


def _ratio(row: RowQuantity, *, interval: bool) -> str:
    if row.difference is not None:
        return _points(row.difference, interval=interval)
    return fmt.with_interval(row.ratio) if interval else fmt.point(row.ratio)


def _points(difference: Estimate, *, interval: bool = True) -> str:
    """A difference of shares in points of a hundred, with its sign."""
    points = f"{100 * difference.estimate:+.2f}"
    if interval and difference.low is not None and difference.high is not None:
        points += f" [{100 * difference.low:+.2f},{fmt.NARROW}{100 * difference.high:+.2f}]"
    return f"{points}{fmt.NARROW}points"


def _launches(row: RowQuantity) -> str:
    estimate = row.ratio or row.difference
    return fmt.number(estimate.n) if estimate else fmt.MISSING


def _word(row: RowQuantity) -> str | None:
    return row.verdict.word if row.verdict is not None else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
