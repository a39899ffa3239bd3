"""The JSON document, key by key as the contract has it."""

import json
import math
from dataclasses import replace

import pytest

from bench.store.schema import STATUSES
from reports.scaling.document import scale_document
from tests.reports import fabricated_studies as studies

NUMBER = (int, float)
NULL = type(None)

ESTIMATE = {"estimate": NUMBER, "low": (*NUMBER, NULL), "high": (*NUMBER, NULL), "n": int, "method": str}
ROW = {
    "strategy": {"single", "ddp", "dp"},
    "ranks": int,
    "device": {"cpu", "cuda", "mps"},
    "backend": {"gloo", "nccl", None},
    "cores_per_rank": (int, NULL),
    "batch_per_rank": int,
    "batch_global": int,
    "nodes": int,
    "launches": int,
    "launches_failed": int,
    "throughput": (ESTIMATE, NULL),
    "speedup": (ESTIMATE, NULL),
    "efficiency": (ESTIMATE, NULL),
    "verdict": {"FASTER", "SLOWER", "EQUIVALENT", "INCONCLUSIVE", "INVALID", None},
    "step_ms": {"p50": (*NUMBER, NULL), "p95": (*NUMBER, NULL), "p99": (*NUMBER, NULL)},
    "epoch_s": {"estimate": (*NUMBER, NULL), "projected": bool},
    "data_wait": (*NUMBER, NULL),
    "communication": (*NUMBER, NULL),
    "peak_memory_bytes": (int, NULL),
    "accuracy": ({"top1": NUMBER, "top5": (*NUMBER, NULL), "loss": NUMBER, "epoch": int}, NULL),
    "status": set(STATUSES),
    "reasons": [str],
}
DOCUMENT = {
    "schema": {"bench.scale/1"},
    "study": str,
    "store": str,
    "exit": int,
    "method_version": int,
    "title": {
        "model": str,
        "params": (int, NULL),
        "data": str,
        "precision": str,
        "scaling": {"weak", "strong"},
        "batch": int,
        "seed": int,
        "rounds": int,
        "window": str,
        "device": str,
    },
    "baseline": ({"strategy": {"single"}, "ranks": int, "cores_per_rank": (int, NULL)}, NULL),
    "rows": [ROW],
    "verdict": str,
    "dna": {"hw_id": (str, NULL), "sw_id": (str, NULL), "num_id": (str, NULL)},
    "warnings": [str],
}


def misfits(value, wanted, path="$"):
    """Where a value is not of the shape wanted: a type, a set of values, a list or dict of shapes, or one of many."""
    if isinstance(wanted, tuple):
        inside = [misfits(value, each, path) for each in wanted]
        return min(inside, key=len)
    if isinstance(wanted, set):
        return [] if value in wanted else [f"{path}: {value!r} is none of {wanted}"]
    if isinstance(wanted, list):
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [found for place, each in enumerate(value) for found in misfits(each, wanted[0], f"{path}[{place}]")]
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            return [f"{path}: {value!r} is no object"]
        missing = [f"{path}.{key}: missing" for key in wanted if key not in value]
        return missing + [
            found for key in wanted if key in value for found in misfits(value[key], wanted[key], f"{path}.{key}")
        ]
    return [] if type(value) is wanted else [f"{path}: {value!r} is no {wanted.__name__}"]


def document(study, exit_code=0):
    return scale_document(study, "bench-results", exit_code)


@pytest.mark.parametrize("made", studies.ALL.values(), ids=studies.ALL)
def test_every_key_of_the_contract_is_there_with_its_type(made):
    assert misfits(json.loads(json.dumps(document(made()), allow_nan=False)), DOCUMENT) == []


def test_the_check_itself_finds_a_missing_key_a_wrong_type_and_a_wrong_word():
    broken = document(studies.good())
    del broken["rows"][1]["backend"]
    broken["rows"][2]["ranks"] = 1.0
    broken["rows"][3]["status"] = "fine"
    assert len(misfits(broken, DOCUMENT)) == 3


def test_numbers_are_the_studys_own_and_not_rounded():
    study = studies.good()
    for row, found in zip(study.rows, document(study)["rows"], strict=True):
        assert found["throughput"]["estimate"] == row.throughput.estimate
        assert found["throughput"]["low"] == row.throughput.low
        if row.speedup:
            assert found["speedup"]["estimate"] == row.speedup.estimate
            assert found["efficiency"]["high"] == row.efficiency.high


def test_whole_numbers_stay_whole_numbers():
    row = document(studies.good())["rows"][0]
    assert type(row["peak_memory_bytes"]) is int
    assert type(row["throughput"]["n"]) is int


def test_what_is_missing_is_null_with_its_reason():
    row = document(studies.failed_rank())["rows"][1]
    assert row["throughput"] is row["speedup"] is row["verdict"] is row["data_wait"] is None
    assert row["step_ms"] == {"p50": None, "p95": None, "p99": None}
    assert row["epoch_s"] == {"estimate": None, "projected": False}
    assert row["unavailable"]["throughput"] == "no launch gave a number"


def test_not_a_number_is_null():
    study = studies.good()
    broken = replace(
        study.rows[1],
        data_wait=math.nan,
        speedup=replace(study.rows[1].speedup, estimate=math.inf),
        throughput=replace(study.rows[1].throughput, high=math.inf),
    )
    row = document(replace(study, rows=(study.rows[0], broken)))["rows"][1]
    assert row["data_wait"] is row["speedup"] is row["throughput"]["high"] is None
    assert row["throughput"]["low"] == study.rows[1].throughput.low


def test_an_interval_that_n_is_too_small_for_is_null_and_not_zero():
    one = studies.measured("single", 1, studies.BASE_RATES[:1], is_baseline=True)
    payload = document(studies.study(one))["rows"][0]["throughput"]
    assert (payload["low"], payload["high"], payload["n"]) == (None, None, 1)


def test_the_reasons_of_a_row_and_of_its_verdict_are_each_there_once():
    row = document(studies.failed_rank())["rows"][2]
    assert row["reasons"] == [
        "trained on different numbers of samples; repeat the study whole",
        "3 of 6 launches ended as hang: no step for 60 s",
    ]


def test_exit_code_and_store_are_those_given():
    found = scale_document(studies.failed_rank(), "/data/results", 5)
    assert (found["exit"], found["store"]) == (5, "/data/results")


@pytest.mark.parametrize("name", ["good", "failed_rank", "accelerators"])
def test_the_document_is_the_approved_one(name, approved):
    approved(json.dumps(document(studies.ALL[name]()), indent=2, allow_nan=False) + "\n", f"{name}.json")
