"""A study in the terminal: setup, table, verdict, warnings, what was saved, what to do next. Words carry meaning."""

import shlex
import textwrap

from rich.console import Console
from rich.text import Text

from bench.analysis import result
from bench.analysis.result import Study
from bench.store.schema import FAILURES, NOT_APPLICABLE, NOT_RUN, OK, SUSPECT
from reports.learning import table
from reports.scaling.table import TableModel, build
from reports.text import fmt
from reports.text.columns import table_lines
from reports.text.console import paragraph, show_blocks, shown

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
    lines, gone = table_lines(model.columns, console, _STYLES, wide=wide)
    notes = [line for note in _notes(model, gone) for line in paragraph("- ", note, console)]
    for line in notes:
        line.stylize("dim")
    blocks = (
        _title(model, console),
        lines,
        notes,
        *_learning(study, console, wide=wide),
        _closing(model, store, console),
    )
    show_blocks(blocks, console)


def next_command(study_id: str, store: str) -> str:
    """What to type next."""
    where = [] if store == "bench-results" else ["--store", store]
    return shlex.join(["bench", "report", study_id, *where])


def _title(model: TableModel, console: Console) -> list[Text]:
    what, *how = (_flowing(facts, console.width) for facts in model.title)
    return [shown(line, console, "bold") for line in what] + [shown(line, console) for lines in how for line in lines]


def _notes(model: TableModel, gone: tuple[str, ...]) -> list[str]:
    keys = {column.key for column in model.columns if column.header not in gone}
    notes = [note.text for note in model.footnotes if note.column is None or note.column in keys]
    if "status" in gone:
        notes.append("Status: ok in every row.")
    if others := [header for header in gone if header != "status"]:
        notes.append(f"Left out to fit the width: {', '.join(others)} (--wide shows them).")
    return notes


def _learning(study: Study, console: Console, *, wide: bool) -> tuple[list[Text], list[Text]]:
    """Measured beside published, and in words what each row learned."""
    texts = [line for each in table.closing(study) for line in paragraph("- ", each, console)]
    found = table.headline(study)
    if not found:
        return [], texts
    lines, gone = table_lines(table.columns(found), console, {}, wide=wide)
    lines += [line for each in table.instead(found, gone) for line in paragraph("", each, console)]
    if more := len(study.published) - len(found):
        rest = f"{more} more, by epoch and class: bench show {study.study_id}"
        lines += paragraph("", rest, console)
    return lines, texts


def _closing(model: TableModel, store: str, console: Console) -> list[Text]:
    entries = [
        ("Verdict", model.sentence, "bold"),
        *(("Warning", warning, "yellow") for warning in model.warnings),
        ("Saved", f"{fmt.clean(store)}, study {model.study_id}", "dim"),
        ("Next", next_command(model.study_id, store), "dim"),
    ]
    return [line for name, text, style in entries for line in paragraph(f"{name:<9}", text, console, style)]


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
