"""A study as the one JSON document that scripts rely on: numbers unrounded, missing is null."""

from pathlib import Path
from typing import Any

from bench.analysis.result import Law, Row, Study, Title
from reports.learning import table
from reports.scaling.sentence import all_reasons, sentence
from reports.text import fmt
from reports.text.plain import configuration_keys, estimate, payload, picked

SCHEMA = "bench.scale/1"


def scale_document(study: Study, store_path: Path | str, exit_code: int) -> dict[str, Any]:
    """The document of `bench scale --json` and, with one row, of `bench run --json`; plain JSON types only."""
    baseline = study.baseline
    return payload(
        schema=SCHEMA,
        study=study.study_id,
        store=str(store_path),
        exit=exit_code,
        **picked(study, "method_version", "quick", "margin"),
        title=_title(study.title),
        baseline=baseline and picked(baseline.configuration, "strategy", "ranks", "cores_per_rank"),
        rows=[_row(row) for row in study.rows],
        verdict=sentence(study).replace(fmt.NARROW, " "),
        dna=picked(study, "hw_id", "sw_id", "num_id"),
        warnings=study.warnings,
        **table.document(study),
        laws=[_law(law) for law in study.laws],
        no_law=study.no_law or None,
    )


_TITLE = (
    *("model", "params", "data", "precision", "memory_format", "scaling", "batch", "seed", "seeds", "profile"),
    *("rounds", "window", "device", "ddp"),
)


def _title(title: Title) -> dict[str, Any]:
    found = picked(title, *(name for name in _TITLE if name != "ddp" or title.ddp))
    return found | {"seeds": title.seeds or (title.seed,)}


def _row(row: Row) -> dict[str, Any]:
    verdict, step, epoch = row.verdict, row.step_ms, row.epoch_s
    return {
        **configuration_keys(row.configuration),
        **({"ddp": row.configuration.ddp} if row.configuration.ddp else {}),
        **picked(row, "is_baseline", "launches", "launches_failed", "rates"),
        **{name: estimate(getattr(row, name)) for name in ("throughput", "speedup", "efficiency")},
        "verdict": verdict and verdict.word,
        **picked(verdict, "beyond_margin", "detectable", "rounds_needed"),
        "step_ms": step or dict.fromkeys(("p50", "p95", "p99")),
        "epoch_s": epoch or {"estimate": None, "projected": False},
        **picked(row, "data_wait", "communication", "peak_memory_bytes", "accuracy", "times_to", "mfu", "cut_steps"),
        "status": row.status,
        "reasons": all_reasons(row),
        "unavailable": row.reasons_null,
    }


def _law(law: Law) -> dict[str, Any]:
    return {
        **picked(law, "name", "strategy", "device", "cores_per_rank"),
        "resources_most": law.resources[-1],
        "parameters": {name: estimate(each) for name, each in law.parameters.items()},
    }
