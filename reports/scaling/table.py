"""The table of a study with its notes, built once: every output shows these strings, so all agree to the last digit."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.analysis.result import EQUIVALENT, Law, Row, Study, Title
from bench.store.schema import OK
from reports.scaling.sentence import baseline_rate, judged, sentence
from reports.text import fmt, names
from reports.text.columns import Align, Column

_ALWAYS = {"throughput", "speedup", "efficiency"}  # what the table is for, even when no row has it
_EMPTY = {fmt.MISSING, ""}


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
        *(Note(law_note(each), "speedup") for each in study.laws),
        Note(_projected(study), "epoch_s"),
        Note(_accuracy_note(study), "accuracy"),
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


def _accuracy_note(study: Study) -> str:
    given = [row.accuracy for row in study.rows if row.accuracy is not None]
    if not given:
        return ""
    epochs = fmt.listed(fmt.number(many) for many in sorted({each.epoch for each in given}))
    return f"acc top-1: exact, on the validation set after epoch {epochs}; mean over the row's launches."


def _communication(study: Study) -> str:
    if all(row.communication is None for row in study.rows):
        return ""
    return "comm.: share of a step in the all-reduce, outside compute; from steps without it, timed after the window."


_MEANS = {
    "sigma": "the share of the work that is not divided",
    "kappa": "what the exchange between each pair costs",
}


def law_note(law: Law) -> str:
    """What describes which rows, how well its parameters are known, and what does not follow from it."""
    found = ", ".join(f"{name} {fmt.with_interval(each)} ({_MEANS[name]})" for name, each in law.parameters.items())
    n = next(iter(law.parameters.values())).n
    cores = "" if law.cores_per_rank is None else f" with {fmt.count(law.cores_per_rank, 'core')} a rank"
    most = fmt.number(law.resources[-1], 0 if law.resources[-1] == int(law.resources[-1]) else 1)
    return (
        f"{law.name[:1].upper()}{law.name[1:]} describes {law.strategy} on {law.device}{cores} up to {most} times the "
        f"baseline's resources: {found}, from a fit in each of {fmt.count(n, 'round')}. A description of what was "
        "measured, no forecast."
    )


@dataclass(frozen=True, kw_only=True)
class TableModel:
    """Everything that a table tells, as text."""

    study_id: str
    title: tuple[tuple[str, ...], ...]  # lines of facts
    columns: tuple[Column, ...]  # baseline row first, as in the study
    footnotes: tuple[Note, ...]
    sentence: str
    warnings: tuple[str, ...]

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The cells, row by row."""
        return tuple(zip(*(column.cells for column in self.columns), strict=True))


def build(study: Study) -> TableModel:
    """The table of a study, with every column that some row has something for."""
    return TableModel(
        study_id=study.study_id,
        title=title(study),
        columns=columns(study),
        footnotes=footnotes(study),
        sentence=sentence(study),
        warnings=tuple(fmt.clean(warning) for warning in study.warnings),
    )


def title(study: Study) -> tuple[tuple[str, ...], ...]:
    """What was run, in lines of facts; weak or strong in capitals, because it changes what a speedup means."""
    run = study.title
    batch = "on every rank" if run.scaling == "weak" else "over all ranks"
    options = (fmt.clean(f"DDP with {run.ddp}"),) if run.ddp else ()
    parameters = (f"{fmt.number(run.params)} parameters",) if run.params is not None else ()
    return (
        (fmt.clean(run.model), *parameters, fmt.clean(run.data), run.precision, run.memory_format),
        (f"{run.scaling.upper()} scaling: batch {fmt.number(run.batch)} {batch}", _seed(run), *options),
        (f"{fmt.count(run.rounds, 'round')} x {run.window}", fmt.clean(run.device)),
    )


def _seed(run: Title) -> str:
    return f"seeds {', '.join(map(str, run.seeds))}" if len(run.seeds) > 1 else f"seed {run.seed}"


def columns(study: Study) -> tuple[Column, ...]:
    """All columns in reading order; one that no row has anything for is absent, never blank."""
    rows = study.rows
    unit, size = _memory_unit(study)
    several_nodes = any(row.configuration.nodes > 1 for row in rows)
    cores_differ = len({row.configuration.cores_per_rank for row in rows}) > 1
    all_ok = all(row.status == OK for row in rows)

    def column(
        key: str,
        header: str,
        cell: Callable[[Row], str],
        *,
        align: Align = "right",
        drop: int | None = None,
        narrower: Column | None = None,
    ) -> Column:
        cells = tuple(cell(row) for row in rows)
        return Column(key=key, header=header, cells=cells, align=align, drop=drop, narrower=narrower)

    short_cores = column("cores_per_rank", "cores", _cores, drop=14) if cores_differ else None
    short_efficiency = column("efficiency", "eff.", _efficiency, drop=12)
    found = (
        column("strategy", "mode", lambda row: names.mode(row, rows), align="left"),
        column("ranks", "ranks", lambda row: fmt.number(row.configuration.ranks)),
        column("nodes", "nodes", lambda row: fmt.number(row.configuration.nodes) if several_nodes else ""),
        column("cores_per_rank", "cores/rank", _cores, drop=5, narrower=short_cores),
        column("batch_per_rank", "batch (global)", _batch, drop=4),
        column("throughput", "samples/s", lambda row: fmt.point(row.throughput)),
        column("throughput", f"±95{fmt.NARROW}%", lambda row: fmt.plus_minus(row.throughput), drop=8),
        column("speedup", f"speedup [95{fmt.NARROW}%]", _speedup, align="point"),
        column(
            "efficiency",
            f"eff. [95{fmt.NARROW}%]",
            _whole_efficiency,
            align="point",
            drop=7,
            narrower=short_efficiency,
        ),
        column("step_ms", "step p50/p95 ms", _step, drop=9),
        column("epoch_s", "epoch s", _epoch, drop=10),
        column("data_wait", "data wait", lambda row: fmt.percent(row.data_wait), drop=1),
        column("communication", "comm.", lambda row: fmt.percent(row.communication), drop=2),
        column("peak_memory_bytes", f"peak {unit}", lambda row: _memory(row, size), drop=6),
        column("mfu", "MFU", lambda row: fmt.percent(row.mfu), drop=3),
        column("accuracy", "acc top-1", _accuracy, drop=13),
        column("verdict", "verdict", lambda row: row.verdict.word if row.verdict else "", align="left", drop=15),
        column("status", "status", lambda row: row.status, align="left", drop=11 if all_ok else None),
    )
    return tuple(each for each in found if each.key in _ALWAYS or not _EMPTY.issuperset(each.cells))


def _is_one(row: Row) -> bool:
    """The baseline against itself: one by definition, not by measurement."""
    return row.is_baseline and row.throughput is not None and not row.is_invalid


def _cores(row: Row) -> str:
    return fmt.number(row.configuration.cores_per_rank)


def _batch(row: Row) -> str:
    return f"{fmt.number(row.configuration.batch_per_rank)} ({fmt.number(row.configuration.batch_global)})"


def _speedup(row: Row) -> str:
    return "1.00 (baseline)" if _is_one(row) else fmt.with_interval(row.speedup)


def _efficiency(row: Row) -> str:
    return fmt.percent(1, 0) if _is_one(row) else fmt.percent_point(row.efficiency)


def _whole_efficiency(row: Row) -> str:
    return fmt.percent(1, 0) if _is_one(row) else fmt.percent_with_interval(row.efficiency)


def _step(row: Row) -> str:
    return f"{fmt.number(row.step_ms.p50)} / {fmt.number(row.step_ms.p95)}" if row.step_ms else fmt.MISSING


def _epoch(row: Row) -> str:
    return f"{'~' * row.epoch_s.projected}{fmt.number(row.epoch_s.estimate)}" if row.epoch_s else fmt.MISSING


def _accuracy(row: Row) -> str:
    return fmt.percent(row.accuracy.top1, 2) if row.accuracy else fmt.MISSING


def _memory(row: Row, size: int) -> str:
    return fmt.number(None if row.peak_memory_bytes is None else row.peak_memory_bytes / size)


def _memory_unit(study: Study) -> tuple[str, int]:
    """One unit for the whole column, so that its cells can be compared at a glance."""
    largest = max((row.peak_memory_bytes for row in study.rows if row.peak_memory_bytes is not None), default=0)
    return ("GiB", 2**30) if largest >= 2**30 else ("MiB", 2**20)
