"""From findings to charts: what is drawn, what is left out and why. Numbers are passed on, never changed."""

from collections.abc import Callable, Sequence

from bench.analysis.report import Attempted, StudyReport
from bench.analysis.result import Law, Row, Study
from reports.figures import data
from reports.scaling.sentence import baseline_rate, is_invalid
from reports.text import fmt, names


def setup_of(study: Study) -> str:
    """What must stand in every caption: model, data, weak or strong with its batch, precision."""
    run = study.title
    batch = "on every rank" if run.scaling == "weak" else "over all ranks"
    return (
        f"{fmt.clean(run.model)}, {fmt.clean(run.data)}; {run.scaling} scaling, "
        f"batch {fmt.number(run.batch)} {batch}; {run.precision}"
    )


def speedup(told: StudyReport, key: str) -> data.Speedup | None:
    """Speedup against resources; None where no row but the baseline has one."""
    study, base = told.study, told.study.baseline
    lines = _lines(told, of_efficiency=False)
    rate = baseline_rate(study)
    if base is None or rate is None or not lines:
        return None
    return data.Speedup(
        key=f"speedup{key}",
        title="Speedup",
        setup=setup_of(study),
        resource=_resource(study),
        baseline=f"{names.phrase(base, study.rows)}: {fmt.with_interval(base.throughput)} samples/s",
        baseline_resources=_resources(base),
        lines=lines,
        envelopes=tuple(
            data.Envelope(
                label=_law_label(law, study),
                resources=tuple(each * _resources(base) for each in law.resources),
                low=law.low,
                high=law.high,
            )
            for law in study.laws
            if law.device == base.configuration.device
        ),
        absent=_absent(study, _is_on_scale(base)),
    )


def efficiency(told: StudyReport, key: str) -> data.Efficiency | None:
    """Efficiency against resources, within the baseline's kind of device alone."""
    study, base = told.study, told.study.baseline
    lines = _lines(told, of_efficiency=True)
    if base is None or baseline_rate(study) is None or not lines:
        return None
    return data.Efficiency(
        key=f"efficiency{key}",
        title="Efficiency",
        setup=setup_of(study),
        resource=_resource(study),
        baseline=f"{names.phrase(base, study.rows)}: {fmt.point(base.throughput)} samples/s",
        lines=lines,
        absent=_absent(study, _is_on_scale(base)),
    )


def step_parts(told: StudyReport, key: str) -> data.StepParts | None:
    study = told.study
    if not told.parts:
        return None
    named = row_names(study)
    return data.StepParts(
        key=f"parts{key}",
        title="Where the time of a step goes",
        setup=setup_of(study),
        bars=tuple(
            data.StepBar(
                label=named[each.configuration],
                total_ms=each.total_ms,
                parts=tuple(data.Part(name=part.name, ms=part.ms) for part in each.parts),
            )
            for each in told.parts
        ),
        absent=_absent(study, lambda row: row.key in {each.configuration for each in told.parts}),
    )


def steadiness(told: StudyReport, key: str) -> data.Steadiness | None:
    study = told.study
    if not told.traces:
        return None
    named = row_names(study)
    rows = tuple(
        data.SteadyRow(
            label=named[each.configuration],
            launches=tuple(
                data.LaunchSteps(
                    launch=f"round {trace.round + 1}",
                    step_ms=trace.step_ms,
                    warmup_steps=trace.warmup_steps,
                    cut_steps=trace.cut_steps,
                )
                for trace in each.traces
            ),
            of=each.launches,
        )
        for each in told.traces
    )
    seen = {each.configuration for each in told.traces}
    return data.Steadiness(
        key=f"steady{key}",
        title="Step time over the launch",
        setup=setup_of(study),
        rows=rows,
        absent=_absent(study, lambda row: row.key in seen),
    )


def energy(told: StudyReport, key: str) -> data.Bars | None:
    named = row_names(told.study)
    bars = tuple(
        data.Bar(label=named[each.configuration], estimate=each.per_sample_j)
        for each in told.energy
        if each.per_sample_j is not None
    )
    if not bars:
        return None
    absent = tuple(
        f"{named[each.configuration]}: {fmt.clean(each.reason or 'not measured')}"
        for each in told.energy
        if each.per_sample_j is None
    )
    return data.Bars(
        key=f"energy{key}",
        title="Energy",
        setup=setup_of(told.study),
        quantity="energy",
        unit="J/sample",
        bars=bars,
        absent=absent,
    )


def limits(told: StudyReport, key: str) -> data.Limits | None:
    if not told.reached:
        return None
    named = row_names(told.study)
    return data.Limits(
        key=f"limits{key}",
        title="Reached beneath what the hardware can do",
        setup=setup_of(told.study),
        rows=tuple(
            data.Reached(
                label=named[each.configuration],
                tflops=each.flop_per_s / 1e12,
                ceilings=tuple(data.Ceiling(name=one.name, tflops=one.flop_per_s / 1e12) for one in each.ceilings),
            )
            for each in told.reached
        ),
    )


def rates(told: StudyReport, key: str) -> data.Bars | None:
    """Samples per second of every row, every launch a dot: the absolute numbers behind the ratios."""
    study = told.study
    rows = [row for row in study.rows if row.throughput is not None and not is_invalid(row)]
    if not rows:
        return None
    return data.Bars(
        key=f"rates{key}",
        title="Throughput",
        setup=setup_of(study),
        quantity="throughput",
        unit="samples/s",
        bars=tuple(
            data.Bar(
                label=names.phrase(row, study.rows),
                estimate=row.throughput,
                launches=row.rates,
                note=row.verdict.word if row.verdict else "",
            )
            for row in rows
            if row.throughput is not None
        ),
        absent=_absent(study, lambda row: row in rows),
    )


def _lines(told: StudyReport, *, of_efficiency: bool) -> tuple[data.ScalingLine, ...]:
    """A line for each strategy on the baseline's kind of device; other kinds are no part of this scale."""
    study, base = told.study, told.study.baseline
    if base is None or base.throughput is None or is_invalid(base):
        return ()
    drawn = [
        row
        for row in study.rows
        if row.configuration.device == base.configuration.device
        and row.speedup is not None
        and row.efficiency is not None
        and not is_invalid(row)
    ]
    groups: dict[str, list[Row]] = {}
    for row in drawn:
        if not row.is_baseline:
            groups.setdefault(_line_of(row, base, drawn), []).append(row)
    if not groups:
        return ()
    lines = []
    for label, rows in groups.items():
        points = [_point(row, base, told.launches, of_efficiency=of_efficiency) for row in rows]
        if all(row.configuration.strategy == "single" for row in rows):  # the baseline is one of them
            points.insert(0, _point(base, base, told.launches, of_efficiency=of_efficiency))
        lines.append(data.ScalingLine(label=label, points=tuple(sorted(points, key=lambda each: each.resources))))
    return tuple(lines)


def _point(row: Row, base: Row, launches: Sequence[Attempted], *, of_efficiency: bool) -> data.ScalingPoint:
    share = _resources(row) / _resources(base)
    mine = {
        _short_id(each.launch_id): each.speedup
        for each in launches
        if each.configuration == row.key and each.speedup is not None
    }
    estimate = row.efficiency if of_efficiency else row.speedup
    assert estimate is not None  # noqa: S101 - chosen by the caller
    return data.ScalingPoint(
        resources=_resources(row),
        estimate=estimate,
        launches=tuple(each / share for each in mine.values()) if of_efficiency else tuple(mine.values()),
        names=tuple(mine),
    )


def _short_id(launch_id: str) -> str:
    """A launch within its study: round and position, as `bench show @last.r00p01` takes it."""
    return launch_id.rpartition(".")[2]


def _law_label(law: Law, study: Study) -> str:
    """Its name, and whose it is where there are several."""
    return law.name if len(study.laws) == 1 else f"{law.name}, {law.strategy}"


def _line_of(drawn: Row, base: Row, among: Sequence[Row]) -> str:
    """Which line a row stands on: cores shared out otherwise are another way to use as many, not another count."""
    row = drawn.configuration
    if row.strategy == "single":
        return "single, one process" if row.cores_per_rank != base.configuration.cores_per_rank else row.strategy
    alike = (each.configuration for each in among if each.configuration.strategy == row.strategy)
    if row.cores_per_rank is None or len({each.cores_per_rank for each in alike}) == 1:
        return row.strategy
    return f"{row.strategy}, {fmt.count(row.cores_per_rank, 'core')} a rank"


def _resources(row: Row) -> float:
    """As efficiency counts them: cores where they are set, else devices."""
    return float(row.configuration.ranks * (row.configuration.cores_per_rank or 1))


def _resource(study: Study) -> str:
    base = study.baseline
    if base is None or base.configuration.device == "cpu":
        return "cores"
    return "GPUs"


def row_names(study: Study) -> dict[str, str]:
    return {row.key: names.phrase(row, study.rows) for row in study.rows}


def _is_on_scale(base: Row) -> Callable[[Row], bool]:
    """Whether a row stands on the scale of this baseline: another kind of device has one of its own."""

    def is_drawn(row: Row) -> bool:
        return row.is_baseline or (
            row.configuration.device == base.configuration.device and row.efficiency is not None and not is_invalid(row)
        )

    return is_drawn


def _absent(study: Study, is_drawn: Callable[[Row], bool]) -> tuple[str, ...]:
    """Every row that is not drawn, with its status and why."""
    told = []
    for row in study.rows:
        if is_drawn(row):
            continue
        why = next(iter(row.reasons), "") or row.reasons_null.get("efficiency", "")
        status = "INVALID" if is_invalid(row) else row.status
        reason = f" ({fmt.clean(why)})" if why and why != status else ""
        told.append(f"{names.phrase(row, study.rows)}: {status}{reason}")
    return tuple(told)
