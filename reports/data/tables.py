"""Studies as CSV for a spreadsheet or a script: a row a configuration, unrounded numbers, empty for missing."""

import json
from functools import partial
from typing import Any

from bench.analysis.comparing.nouns import Comparison, RowQuantity
from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Estimate, Row, Study
from reports.comparing import comparison
from reports.text import fmt
from reports.text.plain import as_csv, configuration_keys

_as_csv = partial(as_csv, digits=12)  # as many as libraries of mathematics agree on


def comparison_as_csv(found: Comparison) -> str:
    """A row a quantity, B judged against A; of studies that may not be compared, one row that says why."""
    rows = [_compared(found, row) for row in found.rows]
    return _as_csv(rows or [_compared(found, None)])


def _compared(found: Comparison, row: RowQuantity | None) -> dict[str, Any]:
    verdict, a, b, ratio, difference = (
        (row.verdict, row.a, row.b, row.ratio, row.difference) if row is not None else (None,) * 5
    )
    reasons = (*row.reasons, *(verdict.reasons if verdict else ())) if row else (*found.obstacles, *found.unmatched)
    return {
        "a": found.a.launch_id or found.a.study_id,
        "b": found.b.launch_id or found.b.study_id,
        "margin": found.margin,
        **(configuration_keys(row.configuration, _OF_A_PAIR) if row else dict.fromkeys(("configuration", *_OF_A_PAIR))),
        "metric": row and row.metric,
        "unit": row and row.unit,
        **_estimate("a_value", a),
        **_estimate("b_value", b),
        **_estimate("ratio", ratio),
        **_estimate("difference", difference),
        "verdict": verdict and verdict.word,
        "beyond_margin": verdict and verdict.beyond_margin,
        "detectable_ratio": verdict and verdict.detectable,
        "reasons": "; ".join(map(fmt.clean, reasons)),
        "sentence": comparison.sentence(found).replace(fmt.NARROW, " "),
    }


_OF_A_PAIR = ("strategy", "ranks", "device", "cores_per_rank", "batch_per_rank")


def rows_as_csv(report: Report) -> str:
    """Headers carry units; baseline and scaling are named in every row, so that one row still says what it is."""
    has_options = any(told.study.title.ddp for told in report.studies)
    return _as_csv(
        [
            {
                **_setup(told.study),
                "method_version": _methods(told, row),
                **_configuration(row),
                **({"ddp": row.configuration.ddp} if has_options else {}),
                **_findings(row),
            }
            for told in report.studies
            for row in told.study.rows
        ]
    )


def launches_as_csv(report: Report) -> str:
    """Every launch with its rate and what it came to, the failed ones with their reason."""
    return _as_csv(
        [
            {
                "study": told.study.study_id,
                "launch": each.launch_id,
                "configuration": each.configuration,
                "round": each.round,
                "method_version": each.method_version,
                "status": each.status,
                "reason": fmt.clean(each.reason) if each.reason else None,
                "samples_per_s": each.rate_sps,
                "speedup_in_round": each.speedup,
            }
            for told in report.studies
            for each in told.launches
        ]
    )


def _methods(told: StudyReport, row: Row) -> int | str:
    """By which method the row's own launches were measured: `1;2` where they differ, which forbids every ratio."""
    mine = sorted({each.method_version for each in told.launches if each.configuration == row.key})
    return told.study.method_version if not mine else mine[0] if len(mine) == 1 else ";".join(map(str, mine))


def _setup(study: Study) -> dict[str, Any]:
    title, baseline = study.title, study.baseline
    rate = baseline.throughput if baseline else None
    return {
        "study": study.study_id,
        "method_version": study.method_version,
        "model": fmt.clean(title.model),
        "params": title.params,
        "data": fmt.clean(title.data),
        "precision": title.precision,
        "memory_format": title.memory_format,
        "scaling": title.scaling,
        "seed": title.seed,
        "rounds": title.rounds,
        "window": title.window,
        "machine": fmt.clean(title.device),
        "hw_id": study.hw_id,
        "sw_id": study.sw_id,
        "num_id": study.num_id,
        "baseline": baseline and baseline.key,
        "baseline_samples_per_s": rate and rate.estimate,
        "margin": study.margin,
        "quick": study.quick,
    }


def _configuration(row: Row) -> dict[str, Any]:
    return {
        **configuration_keys(row.configuration),
        "status": row.status,
        "reasons": "; ".join(map(fmt.clean, row.reasons)),
        "launches": row.launches,
        "launches_failed": row.launches_failed,
    }


def _findings(row: Row) -> dict[str, Any]:
    verdict, step, epoch, accuracy = row.verdict, row.step_ms, row.epoch_s, row.accuracy
    return {
        **_estimate("samples_per_s", row.throughput),
        "launch_samples_per_s": ";".join(f"{rate:.12g}" for rate in row.rates),
        **_estimate("speedup", row.speedup),
        **_estimate("efficiency", row.efficiency),
        "verdict": verdict and verdict.word,
        "verdict_reasons": "; ".join(map(fmt.clean, verdict.reasons)) if verdict else None,
        "beyond_margin": verdict and verdict.beyond_margin,
        "detectable_ratio": verdict and verdict.detectable,
        "rounds_needed": verdict and verdict.rounds_needed,
        "step_p50_ms": step and step.p50,
        "step_p95_ms": step and step.p95,
        "step_p99_ms": step and step.p99,
        "epoch_s": epoch and epoch.estimate,
        "epoch_is_projected": epoch and epoch.projected,
        "data_wait_share": row.data_wait,
        "communication_share": row.communication,
        "peak_memory_bytes": row.peak_memory_bytes,
        "top1_share": accuracy and accuracy.top1,
        "top5_share": accuracy and accuracy.top5,
        "validation_loss_nats": accuracy and accuracy.loss,
        "epochs": accuracy and accuracy.epoch,
        "best_top1_share": accuracy and accuracy.best_top1,
        "best_epoch": accuracy and accuracy.best_epoch,
        "train_top1_share": accuracy and accuracy.train_top1,
        "seeds": accuracy and accuracy.seeds,
        "mfu_share": row.mfu,
        "cut_steps": row.cut_steps,
        "missing": json.dumps(row.reasons_null, sort_keys=True) if row.reasons_null else None,
    }


def _estimate(name: str, estimate: Estimate | None) -> dict[str, Any]:
    return {
        name: estimate and estimate.estimate,
        f"{name}_low": estimate and estimate.low,
        f"{name}_high": estimate and estimate.high,
        f"{name}_n": estimate and estimate.n,
        f"{name}_method": estimate and estimate.method,
    }
