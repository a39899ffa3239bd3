"""Comparisons as the JSON documents that scripts rely on: numbers unrounded, missing is null."""

from collections.abc import Sequence
from typing import Any

from bench.analysis.comparing import gates
from bench.analysis.comparing.gates import Ruling
from bench.analysis.comparing.nouns import Calibration, Comparison, Machines, RowQuantity, StudyRef
from reports.comparing import comparison, machines
from reports.text import fmt
from reports.text.plain import configuration_keys, estimate, payload, picked

SCHEMA = "bench.comparison/1"
SEVERAL = "bench.comparisons/1"  # two stores: a comparison for each workload that both have
MACHINES = "bench.machines/1"
CALIBRATION = "bench.calibration/1"


def document(found: Comparison, rulings: Sequence[Ruling], exit_code: int) -> dict[str, Any]:
    """The document of `bench compare A B --json`; plain JSON types only."""
    return payload(
        schema=SCHEMA,
        exit=exit_code,
        comparable=found.comparable,
        a=_party(found.a),
        b=_party(found.b),
        **picked(found, "same_machine", "margin", "dna"),
        rows=[_row(row) for row in found.rows],
        unmatched=found.unmatched,
        reasons=found.obstacles,
        notes=found.notes,
        verdict=comparison.sentence(found).replace(fmt.NARROW, " "),
        **_gates(rulings),
    )


def several(documents: Sequence[dict[str, Any]], rulings: Sequence[Ruling], exit_code: int) -> dict[str, Any]:
    """Comparisons of several workloads as one document."""
    decision = gates.decision(rulings)
    return {"schema": SEVERAL, "exit": exit_code, "decision": decision, "comparisons": list(documents)}


def machines_document(found: Machines, rulings: Sequence[Ruling], exit_code: int) -> dict[str, Any]:
    """The document of `bench compare A B C … --json`."""
    return payload(
        schema=MACHINES,
        exit=exit_code,
        margin=found.margin,
        machines=[_party(each) for each in found.parties],
        left_out=found.left_out,
        rows=[
            {
                **configuration_keys(row.configuration, IN_COMPARISON),
                "metric": "throughput",
                **picked(row, "spread", "could_name"),
                "machines": [
                    {
                        "name": each.party.name,
                        "study": each.party.study_id,
                        "throughput": estimate(each.rate),
                        "ratio": estimate(each.ratio),
                        **picked(each, outlier="word", p="p", verdict="shown"),
                        **picked(each.verdict, "beyond_margin", "detectable", "reasons"),
                    }
                    for each in row.machines
                ],
                "reasons": [*row.absent, *row.reasons],
            }
            for row in found.rows
        ],
        notes=found.notes,
        verdict=machines.sentence(found).replace(fmt.NARROW, " "),
        **_gates(rulings),
    )


def calibration_document(found: Calibration, store: str, exit_code: int) -> dict[str, Any]:
    """The document of `bench calibrate --json`: what is kept in the store, and where that is."""
    return payload(**{**vars(found), "schema": CALIBRATION, "store": store, "exit": exit_code})


def _gates(rulings: Sequence[Ruling]) -> dict[str, Any]:
    """What the gates came to; `decision` is null where none was asked for."""
    return {
        "decision": gates.decision(rulings),
        "gates": rulings,
        "failed": [str(each) for each in rulings if each.decision == gates.FAIL],
    }


IN_COMPARISON = ("strategy", "ranks", "nodes", "device", "cores_per_rank", "batch_per_rank")


def _party(party: StudyRef) -> dict[str, Any]:
    return {
        **picked(party, name="name", study="study_id", launch="launch_id"),
        **picked(party, "created_at", "hw_id", "sw_id"),
    }


def _row(row: RowQuantity) -> dict[str, Any]:
    verdict = row.verdict
    return {
        **configuration_keys(row.configuration, IN_COMPARISON),
        "metric": row.metric,
        "unit": row.unit or None,
        **{name: estimate(getattr(row, name)) for name in ("a", "b", "ratio", "difference")},
        **picked(verdict, verdict="word", beyond_margin="beyond_margin", detectable="detectable"),
        "launches_needed": verdict and verdict.rounds_needed,
        "more_launches": comparison.more_launches(row),
        "reasons": [*row.reasons, *(verdict.reasons if verdict else ())],
    }
