"""A study as the one JSON document that scripts rely on: numbers unrounded, missing is null."""

from pathlib import Path
from typing import Any

from bench.analysis.result import Law, Row, Study, Title
from reports.learning import table
from reports.scaling.sentence import all_reasons, sentence
from reports.text import fmt
from reports.text.plain import configuration_keys, estimate, finite

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
            and {name: getattr(baseline.configuration, name) for name in ("strategy", "ranks", "cores_per_rank")},
            "rows": [_row(row) for row in study.rows],
            "verdict": sentence(study).replace(fmt.NARROW, " "),
            "dna": {"hw_id": study.hw_id, "sw_id": study.sw_id, "num_id": study.num_id},
            "warnings": study.warnings,
            **table.document(study),
            "laws": [_law(law) for law in study.laws],
            "no_law": study.no_law or None,
        }
    )
    return document


_TITLE = (
    *("model", "params", "data", "precision", "memory_format", "scaling", "batch", "seed", "seeds", "profile"),
    *("rounds", "window", "device", "ddp"),
)


def _title(title: Title) -> dict[str, Any]:
    found = {name: getattr(title, name) for name in _TITLE if name != "ddp" or title.ddp}
    return found | {"seeds": title.seeds or (title.seed,)}


def _row(row: Row) -> dict[str, Any]:
    verdict, step, epoch = row.verdict, row.step_ms, row.epoch_s
    return {
        **configuration_keys(row.configuration),
        **({"ddp": row.configuration.ddp} if row.configuration.ddp else {}),
        "is_baseline": row.is_baseline,
        "launches": row.launches,
        "launches_failed": row.launches_failed,
        "rates": row.rates,
        "throughput": estimate(row.throughput),
        "speedup": estimate(row.speedup),
        "efficiency": estimate(row.efficiency),
        "verdict": verdict and verdict.word,
        "beyond_margin": verdict and verdict.beyond_margin,
        "detectable": verdict and verdict.detectable,
        "rounds_needed": verdict and verdict.rounds_needed,
        "step_ms": step or dict.fromkeys(("p50", "p95", "p99")),
        "epoch_s": epoch or {"estimate": None, "projected": False},
        "data_wait": row.data_wait,
        "communication": row.communication,
        "peak_memory_bytes": row.peak_memory_bytes,
        "accuracy": row.accuracy,
        "times_to": row.times_to,
        "mfu": row.mfu,
        "cut_steps": row.cut_steps,
        "status": row.status,
        "reasons": all_reasons(row),
        "unavailable": row.reasons_null,
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
