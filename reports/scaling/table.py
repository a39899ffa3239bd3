"""The table of a study, built once: every output shows these strings, so all of them agree to the last digit."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.analysis.result import Row, Study, Title
from bench.store.schema import OK
from reports.scaling.footnotes import Note, footnotes
from reports.scaling.sentence import sentence
from reports.text import fmt, names
from reports.text.columns import Align, Column

_ALWAYS = {"throughput", "speedup", "efficiency"}  # what the table is for, even when no row has it
_EMPTY = {fmt.MISSING, ""}


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
