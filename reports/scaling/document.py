"""A study as the one JSON document that scripts rely on: numbers unrounded, missing is null."""

from pathlib import Path
from typing import Any

from bench.analysis.result import Law, Row, Study, Title
from reports.learning import table
from reports.scaling.sentence import all_reasons, sentence
from reports.text import fmt
from reports.text.plain import estimate, finite

SCHEMA = "bench.scale/1"


def scale_document(study: Study, store_path: Path | str, exit_code: int) -> dict[str, Any]:
    """The document of `bench scale --json` and, with one row, of `bench run --json`; plain JSON types only."""
    baseline = study.baseline
    document: dict[str, Any] = finite(
        {
            "schema": SCHEMA,
            "study": study.study_id,
            "store": str(store_path),
            "exit": exit_code,
            "method_version": study.method_version,
            "quick": study.quick,
            "margin": study.margin,
            "title": _title(study.title),
            "baseline": baseline
            and {
                "strategy": baseline.strategy,
                "ranks": baseline.ranks,
                "cores_per_rank": baseline.cores_per_rank,
            },
            "rows": [_row(row) for row in study.rows],
            "verdict": sentence(study).replace(fmt.NARROW, " "),
            "dna": {"hw_id": study.hw_id, "sw_id": study.sw_id, "num_id": study.num_id},
            "warnings": list(study.warnings),
            **table.document(study),
            "laws": [_law(law) for law in study.laws],
            "no_law": study.no_law or None,
        }
    )
    return document


def _title(title: Title) -> dict[str, Any]:
    return {
        "model": title.model,
        "params": title.params,
        "data": title.data,
        "precision": title.precision,
        "memory_format": title.memory_format,
        "scaling": title.scaling,
        "batch": title.batch,
        "seed": title.seed,
        "seeds": list(title.seeds) or [title.seed],
        "profile": title.profile,
        "rounds": title.rounds,
        "window": title.window,
        "device": title.device,
        **({"ddp": title.ddp} if title.ddp else {}),
    }


def _row(row: Row) -> dict[str, Any]:
    verdict, step, epoch, accuracy = row.verdict, row.step_ms, row.epoch_s, row.accuracy
    return {
        "configuration": row.configuration,
        "strategy": row.strategy,
        "ranks": row.ranks,
        "device": row.device,
        "backend": row.backend,
        "cores_per_rank": row.cores_per_rank,
        "batch_per_rank": row.batch_per_rank,
        "batch_global": row.batch_global,
        "nodes": row.nodes,
        **({"ddp": row.ddp} if row.ddp else {}),
        "is_baseline": row.is_baseline,
        "launches": row.launches,
        "launches_failed": row.launches_failed,
        "rates": list(row.rates),
        "throughput": estimate(row.throughput),
        "speedup": estimate(row.speedup),
        "efficiency": estimate(row.efficiency),
        "verdict": verdict and verdict.word,
        "beyond_margin": verdict and verdict.beyond_margin,
        "detectable": verdict and verdict.detectable,
        "rounds_needed": verdict and verdict.rounds_needed,
        "step_ms": {"p50": step and step.p50, "p95": step and step.p95, "p99": step and step.p99},
        "epoch_s": {"estimate": epoch and epoch.estimate, "projected": bool(epoch and epoch.projected)},
        "data_wait": row.data_wait,
        "communication": row.communication,
        "peak_memory_bytes": row.peak_memory_bytes,
        "accuracy": accuracy
        and {
            "top1": accuracy.top1,
            "top5": accuracy.top5,
            "loss": accuracy.loss,
            "epoch": accuracy.epoch,
            "seeds": accuracy.seeds,
            "low": accuracy.low,
            "high": accuracy.high,
            "best_top1": accuracy.best_top1,
            "best_epoch": accuracy.best_epoch,
            "train_top1": accuracy.train_top1,
            "gap": accuracy.gap,
        },
        "times_to": table.times(row),
        "mfu": row.mfu,
        "cut_steps": row.cut_steps,
        "status": row.status,
        "reasons": list(all_reasons(row)),
        "unavailable": dict(row.reasons_null),
    }


def _law(law: Law) -> dict[str, Any]:
    return {
        "name": law.name,
        "strategy": law.strategy,
        "device": law.device,
        "cores_per_rank": law.cores_per_rank,
        "resources_most": law.resources[-1],
        "parameters": {name: estimate(each) for name, each in law.parameters.items()},
    }
