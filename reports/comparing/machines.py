"""Many machines in the terminal: each beside the others, and who is named."""

import math
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from bench.analysis.comparing.nouns import MachineRate, Machines, RowAcrossMachines
from bench.analysis.digits import significant
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER
from reports.comparing.comparison import STYLES
from reports.text import fmt, names
from reports.text.columns import Column, table_lines
from reports.text.console import paragraph, show_blocks


def show(found: Machines, console: Console, *, wide: bool = False) -> None:
    """Print every row over all machines."""
    blocks: list[list[Text]] = []
    for row in found.rows:
        title = f"{names.phrase(row, found.rows)}: {fmt.count(len(row.machines), 'machine')}"
        if row.spread is not None:
            title += f", spread {fmt.percent(row.spread, 2)} without those named"
        blocks.append(paragraph("", title, console))
        if row.machines:
            lines, _ = table_lines(_columns(row), console, STYLES, wide=wide)
            blocks.append(lines)
    notes = dict.fromkeys(_notes(found))
    blocks.append([line for note in notes for line in paragraph("- ", note, console)])
    blocks.append(paragraph("Verdict  ", sentence(found), console, "bold"))
    show_blocks(blocks, console)


def sentence(found: Machines) -> str:
    """Who stands out in which row, or what could have been seen where nobody does."""
    parts = []
    for row in found.rows:
        named = [
            f"{fmt.clean(each.party.name)} is {each.shown}, {_ratio(each)}{_perhaps(each, found)}"
            for each in row.machines
            if each.shown in {FASTER, SLOWER}
        ]
        parts.append(f"{names.phrase(row, found.rows)}: {fmt.listed(named) if named else _nobody(row)}.")
    return " ".join(parts) or "No row to compare."


def _perhaps(machine: MachineRate, found: Machines) -> str:
    if machine.word or machine.verdict.beyond_margin:
        return ""
    return f", perhaps by less than {fmt.percent(found.margin)}"


def _nobody(row: RowAcrossMachines) -> str:
    many = len(row.machines)
    if many < 2:
        return f"{fmt.count(many, 'machine')} with a number, so nothing is compared"
    if all(each.verdict.word == EQUIVALENT for each in row.machines):
        return f"all {many} machines are EQUIVALENT"
    text = f"no machine of {many} is shown to differ"
    if row.could_name is not None:
        return f"{text}; with {many} machines one could have been named beyond {fmt.percent(row.could_name - 1)}"
    seen = [each.verdict.detectable for each in row.machines if each.verdict.detectable is not None]
    if seen and all(map(math.isfinite, seen)):
        text += f"; these launches could show one that differs by {fmt.percent(max(seen) - 1)}"
    return text


def _ratio(machine: MachineRate) -> str:
    return f"{fmt.with_interval(machine.ratio)} of the median of the others"


def _columns(row: RowAcrossMachines) -> tuple[Column, ...]:
    rows = row.machines
    return (
        Column(
            key="name", header="machine", cells=tuple(fmt.clean(each.party.name)[:40] for each in rows), align="left"
        ),
        Column(key="rate", header="samples/s", cells=tuple(fmt.point(each.rate) for each in rows)),
        Column(key="n", header="n", cells=tuple(fmt.number(each.rate.n) for each in rows), drop=1),
        Column(
            key="ratio",
            header=f"over the others [95{fmt.NARROW}%]",
            cells=tuple(fmt.with_interval(each.ratio) for each in rows),
            align="point",
            drop=2,
            narrower=Column(key="ratio", header="ratio", cells=tuple(fmt.point(each.ratio) for each in rows)),
        ),
        Column(key="verdict", header="verdict", cells=tuple(each.shown for each in rows), align="left"),
    )


def _notes(found: Machines) -> Iterator[str]:
    yield from (f"{fmt.clean(each)}." for each in found.left_out)
    for row in found.rows:
        name = names.phrase(row, found.rows)
        yield from (f"{name}, {fmt.clean(each)}." for each in (*row.absent, *row.reasons))
        if row.could_name is not None:
            yield (
                f"{name}: with {fmt.count(len(row.machines), 'machine')} of this spread an outlier is named beyond "
                f"{fmt.percent(row.could_name - 1)}, four times in five."
            )
        for each in row.machines:
            machine = fmt.clean(each.party.name)
            if each.p is not None and each.word is None:
                yield (
                    f"{machine} was picked (p = {significant(each.p, 2)}) but is suspect, or lies within the margin or "
                    "its own spread."
                )
            if each.shown == INCONCLUSIVE:
                yield f"{name}, {machine}: {'; '.join(map(fmt.clean, each.verdict.reasons))}."
    if any(row.could_name is not None for row in found.rows):
        yield (
            "Outliers are named by Rosner's generalised extreme Studentised deviate, one machine one value, at "
            f"5{fmt.NARROW}% over all machines."
        )
    yield from found.notes
