"""A study in the terminal: setup, table, verdict, warnings, what was saved, what to do next. Words carry meaning."""

import shlex
import textwrap
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from bench.analysis import result
from bench.analysis.result import Study
from bench.store.schema import FAILURES, NOT_APPLICABLE, NOT_RUN, OK, SUSPECT
from reports import words
from reports.console import shown
from reports.model import Column, TableModel, build, fitting, laid_out

_GUTTER = "  "

_STYLES = {
    result.FASTER: "green",
    result.SLOWER: "red",
    result.INCONCLUSIVE: "yellow",
    result.INVALID: "red",
    SUSPECT: "yellow",
    OK: "dim",
    NOT_APPLICABLE: "dim",
    NOT_RUN: "dim",
    **dict.fromkeys(FAILURES, "red"),
}


def show(study: Study, console: Console, *, store: str, wide: bool = False) -> None:
    """Print a study. Without `wide`, columns give way until the table fits; no row is ever wrapped."""
    model = build(study)
    every = tuple(_for_console(column, console) for column in model.columns)
    columns, gone = (every, ()) if wide else fitting(every, console.width, len(_GUTTER))
    notes = [line for note in _notes(model, columns, gone) for line in _wrapped("- ", note, console)]
    blocks = (
        _title(model, console),
        _table(columns, console),
        [shown(line, console, "dim") for line in notes],
        _closing(model, store, console),
    )
    console.print()
    for block in blocks:
        for line in block:
            line.rstrip()
            console.print(line, soft_wrap=True)  # every line is as long as it should be: rich breaks none of them
        console.print()


def next_command(study_id: str, store: str) -> str:
    """What to type next."""
    where = [] if store == "bench-results" else ["--store", store]
    return shlex.join(["bench", "report", study_id, *where])


def _title(model: TableModel, console: Console) -> list[Text]:
    what, *how = (_flowing(facts, console.width) for facts in model.title)
    return [shown(line, console, "bold") for line in what] + [shown(line, console) for lines in how for line in lines]


def _table(columns: tuple[Column, ...], console: Console) -> list[Text]:
    header, *rows = zip(*map(laid_out, columns), strict=True)
    first = _GUTTER.join(header)
    return [
        shown(first, console, "bold"),
        shown("─" * len(first), console, "dim"),
        *(Text(_GUTTER).join(shown(cell, console, _STYLES.get(cell.strip(), "")) for cell in cells) for cells in rows),
    ]


def _for_console(column: Column, console: Console) -> Column:
    """The column in the letters that this console has: some become two, so this comes before any width is taken."""
    return replace(
        column,
        header=shown(column.header, console).plain,
        cells=tuple(shown(cell, console).plain for cell in column.cells),
        narrower=_for_console(column.narrower, console) if column.narrower else None,
    )


def _notes(model: TableModel, columns: tuple[Column, ...], gone: tuple[str, ...]) -> list[str]:
    keys = {column.key for column in columns}
    notes = [note.text for note in model.footnotes if note.column is None or note.column in keys]
    if "status" in gone:
        notes.append("Status: ok in every row.")
    if others := [header for header in gone if header != "status"]:
        notes.append(f"Left out to fit the width: {', '.join(others)} (--wide shows them).")
    return notes


def _closing(model: TableModel, store: str, console: Console) -> list[Text]:
    entries = [
        ("Verdict", model.sentence, "bold"),
        *(("Warning", warning, "yellow") for warning in model.warnings),
        ("Saved", f"{words.clean(store)}, study {model.study_id}", "dim"),
        ("Next", next_command(model.study_id, store), "dim"),
    ]
    lines = []
    for name, told, style in entries:
        paragraph = [shown(line, console) for line in _wrapped(f"{name:<9}", told, console)]
        paragraph[0].stylize(style, 0, len(name))
        lines += paragraph
    return lines


def _wrapped(lead: str, told: str, console: Console) -> list[str]:
    """A paragraph that hangs from its lead. Only plain spaces are broken at, so numbers stay whole."""
    return textwrap.wrap(
        told,
        console.width,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_on_hyphens=False,
    )


def _flowing(facts: tuple[str, ...], width: int) -> list[str]:
    """Facts in a row, broken between facts rather than within one."""
    lines = [""]
    for fact in facts:
        longer = f"{lines[-1]} · {fact}" if lines[-1] else fact
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(fact)
    return [part for line in lines for part in textwrap.wrap(line, width)]
