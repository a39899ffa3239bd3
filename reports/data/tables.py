"""Studies as CSV for a spreadsheet or a script: a row a configuration, unrounded numbers, empty for missing."""

import json
from functools import partial
from typing import Any

from bench.analysis.comparing.nouns import Comparison, RowQuantity
from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Estimate, Row, Study
from reports.comparing import comparison
from reports.text import fmt
from reports.text.plain import as_csv, configuration_keys, picked

_as_csv = partial(as_csv, digits=12)  # as many as libraries of mathematics agree on


def comparison_as_csv(found: Comparison) -> str:
    """A row a quantity, B judged against A; of studies that may not be compared, one row that says why."""
    rows = [_compared(found, row) for row in found.rows]
    return _as_csv(rows or [_compared(found, None)])


def _compared(found: Comparison, row: RowQuantity | None) -> dict[str, Any]:
    verdict = row.verdict if row else None
    reasons = (*row.reasons, *(verdict.reasons if verdict else ())) if row else (*found.obstacles, *found.unmatched)
    return {
        "a": found.a.launch_id or found.a.study_id,
        "b": found.b.launch_id or found.b.study_id,
        "margin": found.margin,
        **(configuration_keys(row.configuration, _OF_A_PAIR) if row else dict.fromkeys(("configuration", *_OF_A_PAIR))),
        **picked(row, "metric", "unit"),
        **_estimate("a_value", row.a if row else None),
        **_estimate("b_value", row.b if row else None),
        **_estimate("ratio", row.ratio if row else None),
        **_estimate("difference", row.difference if row else None),
        **picked(verdict, verdict="word", beyond_margin="beyond_margin", detectable_ratio="detectable"),
        "reasons": "; ".join(map(fmt.clean, reasons)),
        "sentence": comparison.sentence(found).replace(fmt.NARROW, " "),
    }


_OF_A_PAIR = ("strategy", "ranks", "device", "cores_per_rank", "batch_per_rank")


def rows_as_csv(report: Report) -> str:
    """Headers carry units; baseline and scaling are named in every row, so that one row still says what it is."""
    has_options = any(each_study.study.title.ddp for each_study in report.studies)
    return _as_csv(
        [
            {
                **_setup(each_study.study),
                "method_version": _methods(each_study, row),
                **configuration_keys(row.configuration),
                "status": row.status,
                "reasons": "; ".join(map(fmt.clean, row.reasons)),
                **picked(row, "launches", "launches_failed"),
                **({"ddp": row.configuration.ddp} if has_options else {}),
                **_findings(row),
            }
            for each_study in report.studies
            for row in each_study.study.rows
        ]
    )


def launches_as_csv(report: Report) -> str:
    """Every launch with its rate and what it came to, the failed ones with their reason."""
    return _as_csv(
        [
            {
                "study": each_study.study.study_id,
                "launch": each.launch_id,
                **picked(each, "configuration", "round", "method_version", "status"),
                "reason": fmt.clean(each.reason) if each.reason else None,
                **picked(each, samples_per_s="rate_sps", speedup_in_round="speedup"),
            }
            for each_study in report.studies
            for each in each_study.launches
        ]
    )


def _methods(report: StudyReport, row: Row) -> int | str:
    """By which method the row's own launches were measured: `1;2` where they differ, which forbids every ratio."""
    mine = sorted({each.method_version for each in report.launches if each.configuration == row.key})
    return report.study.method_version if not mine else mine[0] if len(mine) == 1 else ";".join(map(str, mine))


def _setup(study: Study) -> dict[str, Any]:
    title, baseline = study.title, study.baseline
    rate = baseline.throughput if baseline else None
    return {
        "study": study.study_id,
        "method_version": study.method_version,
        "model": fmt.clean(title.model),
        "params": title.params,
        "data": fmt.clean(title.data),
        **picked(title, "precision", "memory_format", "scaling", "seed", "rounds", "window"),
        "machine": fmt.clean(title.device),
        **picked(study, "hw_id", "sw_id", "num_id"),
        "baseline": baseline and baseline.key,
        "baseline_samples_per_s": rate and rate.estimate,
        **picked(study, "margin", "quick"),
    }


def _findings(row: Row) -> dict[str, Any]:
    verdict = row.verdict
    return {
        **_estimate("samples_per_s", row.throughput),
        "launch_samples_per_s": ";".join(f"{rate:.12g}" for rate in row.rates),
        **_estimate("speedup", row.speedup),
        **_estimate("efficiency", row.efficiency),
        "verdict": verdict and verdict.word,
        "verdict_reasons": "; ".join(map(fmt.clean, verdict.reasons)) if verdict else None,
        **picked(verdict, beyond_margin="beyond_margin", detectable_ratio="detectable", rounds_needed="rounds_needed"),
        **picked(row.step_ms, step_p50_ms="p50", step_p95_ms="p95", step_p99_ms="p99"),
        **picked(row.epoch_s, epoch_s="estimate", epoch_is_projected="projected"),
        **picked(row, data_wait_share="data_wait", communication_share="communication"),
        "peak_memory_bytes": row.peak_memory_bytes,
        **picked(row.accuracy, top1_share="top1", top5_share="top5", validation_loss_nats="loss", epochs="epoch"),
        **picked(row.accuracy, best_top1_share="best_top1", best_epoch="best_epoch"),
        **picked(row.accuracy, train_top1_share="train_top1", seeds="seeds"),
        **picked(row, mfu_share="mfu", cut_steps="cut_steps"),
        "missing": json.dumps(row.reasons_null, sort_keys=True) if row.reasons_null else None,
    }


def _estimate(name: str, estimate: Estimate | None) -> dict[str, Any]:
    columns = {f"{name}_{part}": part for part in ("low", "high", "n", "method")}
    return picked(estimate, **{name: "estimate"}, **columns)
