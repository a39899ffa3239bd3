"""What stands under a table: what it is compared with, why a row has no number, and how the intervals were made."""

from dataclasses import dataclass

from bench.analysis.result import EQUIVALENT, Row, Study
from bench.store.schema import OK
from reports.scaling import laws
from reports.scaling.sentence import baseline_rate, judged
from reports.text import fmt, names

_NAMES = {
    "throughput": "samples/s",
    "speedup": "speedup",
    "efficiency": "efficiency",
    "step_ms": "step time",
    "epoch_s": "epoch time",
    "data_wait": "data wait",
    "peak_memory_bytes": "peak memory",
    "accuracy": "accuracy",
    "mfu": "MFU",
}


@dataclass(frozen=True)
class Note:
    """One note; `column` is the key of the column it explains, None when it stands whatever is shown."""

    text: str
    column: str | None = None


def footnotes(study: Study) -> tuple[Note, ...]:
    """All notes of a study in the order of reading."""
    notes = (
        Note(_baseline(study)),
        *_about_rows(study),
        Note(_missing(study)),
        Note(_intervals(study)),
        *(Note(laws.sentence(each), "speedup") for each in study.laws),
        Note(_projected(study), "epoch_s"),
        Note(_accuracy(study), "accuracy"),
        Note(_communication(study), "communication"),
    )
    return tuple(note for note in notes if note.text)


def _baseline(study: Study) -> str:
    row, rate = study.baseline, baseline_rate(study)
    if row is None:
        return "No baseline was run, so there is no speedup and no efficiency."
    name = names.phrase(row, study.rows)
    if rate is None:
        what = "is INVALID" if row.is_invalid else "has no number"
        return f"The baseline, {name}, {what}, so there is no speedup and no efficiency."
    return f"Baseline: {name}, {fmt.with_interval(row.throughput)} samples/s; speedup and eff. are against it."


def _about_rows(study: Study) -> list[Note]:
    """What is the same of several rows is said once."""
    found: dict[str, list[Row]] = {}
    for row in study.rows:
        if notes := _about(row, study):
            found.setdefault(notes, []).append(row)
    return [Note(f"{_named(rows, study)}: {notes}.") for notes, rows in found.items()]


def _about(row: Row, study: Study) -> str:
    """Why a row has no number or is not to be trusted, and what its verdict does not say by itself."""
    notes = []
    if row.verdict is not None and row.verdict.word != EQUIVALENT:
        judgement = judged(row, row.verdict, study)
        notes += [judgement] if judgement != row.verdict.word else []
    refused = row.verdict.reasons if row.verdict is not None else ()
    others = "; ".join(fmt.clean(reason).rstrip(".") for reason in row.reasons if reason not in refused)
    if row.status == OK:
        notes += [others] if others else []
    elif others or not notes:
        notes.append(f"{row.status}: {others}" if others else row.status)
    if row.cut_steps:
        notes.append(f"{fmt.count(row.cut_steps, 'step')} cut from every launch as not yet steady")
    return "; ".join(notes)


def _intervals(study: Study) -> str:
    """The method's name and the number of launches behind it."""
    notes = []
    for name, estimates in (
        ("samples/s", [row.throughput for row in study.rows]),
        ("speedup", [row.speedup for row in study.rows]),
    ):
        given = [each for each in estimates if each is not None and fmt.has_interval(each)]
        if methods := dict.fromkeys(fmt.clean(each.method) for each in given):
            sizes = sorted({each.n for each in given})
            n = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
            notes.append(f"{name}: {', '.join(methods)}, n = {n}")
    return f"95 % intervals. {'; '.join(notes)}." if notes else ""


def _missing(study: Study) -> str:
    """Each reason once, with the quantities and the rows it holds for."""
    rows = [row for row in study.rows if row.throughput is not None]
    lacking: dict[tuple[str, str], list[Row]] = {}  # quantity and reason -> rows
    for row in rows:
        for key, reason in row.reasons_null.items():
            if key in _NAMES and not _has_a_line(row, key):
                lacking.setdefault((_NAMES[key], fmt.clean(reason).rstrip(".")), []).append(row)
    quantities: dict[tuple[str, str], list[str]] = {}  # reason and rows in words -> quantities
    for (name, reason), holds_for in lacking.items():
        where = f" of {_named(holds_for, study)}" if len(holds_for) < len(rows) else ""
        quantities.setdefault((reason, where), []).append(name)
    notes = [f"{fmt.listed(found)}{where} ({reason})" for (reason, where), found in quantities.items()]
    return f"Not measured: {'; '.join(notes)}." if notes else ""


def _has_a_line(row: Row, key: str) -> bool:
    """The baseline has no speedup over itself, and a row's own note may have said already why it has none."""
    if key == "mfu" and row.configuration.device == "cpu":
        return True  # nobody asks it of a CPU
    if key in {"speedup", "efficiency"} and (row.is_baseline or row.is_invalid):
        return True
    return any(row.reasons_null[key] in reason for reason in row.reasons)


def _named(rows: list[Row], study: Study) -> str:
    return fmt.listed(names.phrase(row, study.rows) for row in rows)


def _projected(study: Study) -> str:
    if any(row.epoch_s is not None and row.epoch_s.projected for row in study.rows):
        return "~ projected from the samples/s and the size of the training set; no whole epoch was timed."
    return ""


def _accuracy(study: Study) -> str:
    given = [row.accuracy for row in study.rows if row.accuracy is not None]
    if not given:
        return ""
    epochs = fmt.listed(fmt.number(many) for many in sorted({each.epoch for each in given}))
    return f"acc top-1: exact, on the validation set after epoch {epochs}; mean over the row's launches."


def _communication(study: Study) -> str:
    if all(row.communication is None for row in study.rows):
        return ""
    return "comm.: share of a step in the all-reduce, outside compute; from steps without it, timed after the window."
