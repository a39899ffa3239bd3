"""Many machines in the terminal: each beside the others, and who is named."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from bench.analysis.comparison import Fleet, MachineRate, Machines
from reports import layout, names, paragraphs, words
from reports.comparison import STYLES
from reports.model import Column


def show(found: Machines, console: Console, *, wide: bool = False) -> None:
    """Print every row over all machines."""
    blocks: list[list[Text]] = []
    for fleet in found.fleets:
        title = f"{_name(fleet, found)}: {words.count(len(fleet.machines), 'machine')}"
        if fleet.spread is not None:
            title += f", spread {words.percent(fleet.spread, 2)} without those named"
        blocks.append(paragraphs.paragraph("", title, console))
        if fleet.machines:
            lines, _ = layout.table(_columns(fleet), console, STYLES, wide=wide)
            blocks.append(lines)
    notes = dict.fromkeys(_notes(found))
    blocks.append([line for note in notes for line in paragraphs.paragraph("- ", note, console)])
    blocks.append(paragraphs.paragraph("Verdict  ", sentence(found), console, "bold"))
    paragraphs.write(blocks, console)


def sentence(found: Machines) -> str:
    """Who is named in which row; nobody, where the test names nobody or could not be done."""
    told = []
    for fleet in found.fleets:
        named = [
            f"{words.clean(each.party.name)} is {each.word}, {_ratio(each)}" for each in fleet.machines if each.word
        ]
        told.append(f"{_name(fleet, found)}: {words.listed(named) if named else _nobody(fleet)}.")
    return " ".join(told) or "No row to compare."


def _nobody(fleet: Fleet) -> str:
    judged = fleet.machines and all(each.p is None for each in fleet.machines)
    if judged and not any("needed to name" in reason for reason in fleet.reasons):
        return f"no machine of {len(fleet.machines)} stands out"
    return "nobody is named"


def _ratio(machine: MachineRate) -> str:
    return f"{words.with_interval(machine.ratio)} of the others"


def _columns(fleet: Fleet) -> tuple[Column, ...]:
    rows = fleet.machines
    return (
        Column(
            key="name", header="machine", cells=tuple(words.clean(each.party.name)[:40] for each in rows), align="left"
        ),
        Column(key="rate", header="samples/s", cells=tuple(words.point(each.rate) for each in rows)),
        Column(key="n", header="n", cells=tuple(words.number(each.rate.n) for each in rows), drop=1),
        Column(
            key="ratio",
            header=f"over the others [95{words.NARROW}%]",
            cells=tuple(words.with_interval(each.ratio) for each in rows),
            align="point",
            drop=2,
            narrower=Column(key="ratio", header="ratio", cells=tuple(words.point(each.ratio) for each in rows)),
        ),
        Column(key="verdict", header="verdict", cells=tuple(each.word or "" for each in rows), align="left"),
    )


def _notes(found: Machines) -> Iterator[str]:
    yield from (f"{words.clean(each)}." for each in found.left_out)
    for fleet in found.fleets:
        yield from (f"{_name(fleet, found)}, {words.clean(each)}." for each in fleet.reasons)
        for each in fleet.machines:
            if each.p is not None and each.word is None:
                name = words.clean(each.party.name)
                yield f"{name} was picked (p = {each.p:.2g}) but lies within the margin or its own spread."
    yield "Named by Rosner's generalised extreme Studentised deviate, one machine one value, at 5 % over all machines."
    yield from found.notes


def _name(fleet: Fleet, found: Machines) -> str:
    return names.phrase(fleet, found.fleets)
