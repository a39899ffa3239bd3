"""Reports made by hand around the fabricated studies: with launches, traces, curves and machines."""

from dataclasses import replace

from bench.analysis.report import Attempted, Card, Report, StudyReport
from bench.analysis.result import (
    Classes,
    ClassResult,
    Energy,
    EpochPoint,
    Estimate,
    Learned,
    Part,
    StepParts,
    Study,
    Trace,
    Traces,
)
from tests.reports import fabricated_studies as studies


def card(**identity: str) -> Card:
    return Card(
        hw_id="7f3c91a2aa00bb11",
        sw_id="02bd77e000112233",
        num_id=None,
        launches=6,
        identity={"cpu_label": "AMD EPYC 7B13", "cpu_cores": "2", "memory_gib": "16", **identity},
        software={"torch": "2.15.0", "python": "CPython 3.12.4", "kernel": "Linux 6.8.0-45-generic", "os": "Debian 12"},
        conditions={"load_1m": "0.2"},
        numeric={},
        measured={},
        unavailable={"num_id": "canaries: not asked for"},
    )


def whole(study: Study, *, steps: int = 30) -> StudyReport:
    """A study with a launch a rate, its steps, and a machine."""
    study = replace(study, no_law="2 counts of resources cannot tell a law's parameters from noise; 4 can (ddp on cpu)")
    base = study.baseline
    launches, traces, parts = [], [], []
    for row in study.rows:
        for number, rate in enumerate(row.rates):
            ratio = rate / base.rates[number] if base and base.rates and row.speedup else None
            launches.append(
                Attempted(
                    launch_id=f"{study.study_id}.r{number:02d}{row.key}",
                    configuration=row.key,
                    round=number,
                    method_version=study.method_version,
                    status="ok",
                    reason=None,
                    rate_sps=rate,
                    speedup=ratio,
                )
            )
        if row.rates and row.step_ms:
            times = tuple(row.step_ms.p50 * (1 + 0.01 * (step % 5)) for step in range(steps))
            traces.append(
                Traces(
                    configuration=row.key,
                    traces=tuple(
                        Trace(
                            configuration=row.key,
                            round=number,
                            step_ms=times,
                            warmup_steps=5,
                            cut_steps=row.cut_steps,
                        )
                        for number in range(len(row.rates))
                    ),
                    launches=len(row.rates),
                )
            )
            parts.append(
                StepParts(
                    configuration=row.key,
                    total_ms=row.step_ms.p50,
                    parts=(Part(name="data wait", ms=0.1), Part(name="compute and rest", ms=row.step_ms.p50 - 0.1)),
                )
            )
        launches += [
            Attempted(
                launch_id=f"{study.study_id}.f{number:02d}{row.key}",
                configuration=row.key,
                round=number,
                method_version=study.method_version,
                status=row.status,
                reason="it died",
                rate_sps=None,
                speedup=None,
            )
            for number in range(row.launches_failed)
        ]
    return StudyReport(
        study=study,
        created_at="2026-11-22T08:14:55+00:00",
        command="bench scale --model lenet-large --data cifar10 --ranks 1,2",
        facts={"learning rate": "0.05, constant", "seed": "0"},
        launches=tuple(launches),
        traces=tuple(traces),
        parts=tuple(parts),
        energy=tuple(
            Energy(configuration=row.key, per_sample_j=None, mean_w=None, reason="no counter can be read")
            for row in study.rows
        ),
        cards=(card(),),
    )


def trained() -> StudyReport:
    """The demo's study with the curves that its accuracies end."""
    study = studies.quick()
    report = whole(study)
    return replace(report, learned=tuple(_learned(row) for row in study.rows), classes=(_classes(study),))


def _learned(row) -> Learned:
    top1 = row.accuracy.top1
    points = tuple(
        EpochPoint(
            epoch=epoch,
            samples=1437.0 * epoch,
            seconds=row.epoch_s.estimate * epoch,
            learning_rate=0.05,
            train_loss=2.3 / epoch,
            train_top1=top1 * epoch / 8,
            validation_loss=row.accuracy.loss * 8 / epoch,
            top1=top1 * epoch / 8,
            top5=0.99,
        )
        for epoch in range(1, 9)
    )
    final = Estimate(estimate=top1, low=top1 - 0.01, high=top1 + 0.01, n=3, method="t interval over launches")
    gap = None if row.is_baseline else replace(final, estimate=-0.0056, low=-0.0211, high=0.0099)
    return Learned(
        configuration=row.key,
        launches=3,
        points=points,
        train_s=points[-1].seconds,
        final_top1=final,
        best_top1=top1,
        best_epoch=8,
        gap=gap,
    )


def _classes(study: Study) -> Classes:
    names = ("zero", "<b>one</b>", "two")
    matrix = ((35, 1, 0), (2, 30, 4), (0, 0, 36))
    return Classes(
        configuration=study.rows[0].key,
        epoch=8,
        launches=3,
        classes=tuple(
            ClassResult(name=name, support=36, precision=0.9, recall=row[place] / 36, f1=0.9)
            for place, (name, row) in enumerate(zip(names, matrix, strict=True))
        ),
        confusion=matrix,
    )


def twelve_rows() -> Study:
    """The largest table that a page is promised for: twelve rows of six launches each."""
    rows = [studies.baseline()]
    for ranks in range(2, 13):
        rates = tuple(rate * ranks * (1 - 0.02 * ranks) for rate in studies.BASE_RATES)
        ratio = studies.paired(rates, studies.BASE_RATES)
        rows.append(
            studies.measured(
                "ddp",
                ranks,
                rates,
                speedup=ratio,
                efficiency=studies.over(ratio, ranks),
                verdict=studies.verdict("FASTER", beyond_margin=True),
            )
        )
    return studies.study(*rows)


def several(*study_reports: StudyReport, **given) -> Report:
    """Studies in one report, each under an id of its own."""
    found = tuple(
        replace(each, study=replace(each.study, study_id=f"{each.study.study_id[:-1]}{number}"))
        for number, each in enumerate(study_reports)
    )
    return Report(studies=found, **given)
