"""Where time and energy go, and how far below the hardware's limits a row stays."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.result import StepTime
from bench.analysis.scaling import row_details
from bench.analysis.scaling.findings import analyse
from bench.store import schema
from bench.store.schema import Dna
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE, changed, configuration, study

FLOP = 1e6
GPU = configuration("single", device="cuda", cores=None)
GPUS = configuration("ddp", 2, device="cuda", cores=None)
PEAKS = {"chip": [{"match": ["Chip"], "dense_flops": {"fp32": 1e9}}]}


def analysed(rates=None, **changes):
    its, launches, timed = study(rates or {SINGLE: [100.0] * 3, DDP2: [190.0] * 3})
    launches = [replace(each, **changes) for each in launches]
    return analyse(its, launches, timed, []), launches


def card(each, **measured):
    return Dna(
        study_id=each.study_id,
        launch_id=each.launch_id,
        hw_id="hw",
        sw_id="sw",
        identity="{}",
        conditions="{}",
        software="{}",
        measured=json.dumps(measured) if measured else None,
        unavailable="{}",
    )


CEILINGS = {"device": "cpu", "threads": 2, "gemm_flop_per_s": {"fp32": {"n": 20, "median": 4e8, "spread": 0.01}}}


# Parts of a step.


@given(wait=st.floats(0, 1), communication=st.one_of(st.none(), st.floats(0, 1)), p50=st.floats(1e-3, 1e5))
def test_the_parts_of_a_step_are_never_negative_and_add_up_to_it(wait, communication, p50):
    found, _ = ANALYSED
    row = replace(
        found.rows[0],
        data_wait=wait,
        communication=communication,
        step_ms=StepTime(p50=p50, p95=p50, p99=p50),
    )
    (facts,) = row_details.step_parts(replace(found, rows=(row,)))
    assert sum(part.ms for part in facts.parts) == pytest.approx(p50)
    assert all(part.ms >= 0 for part in facts.parts)


ANALYSED = analysed()


def test_a_part_that_was_not_measured_is_absent_and_not_nothing():
    found, _ = ANALYSED
    row = replace(found.rows[1], communication=None, data_wait=0.1)
    (facts,) = row_details.step_parts(replace(found, rows=(row,)))
    assert [part.name for part in facts.parts] == [row_details.WAIT, row_details.COMPUTE]
    (facts,) = row_details.step_parts(replace(found, rows=(replace(row, communication=0.0),)))
    assert [(part.name, part.ms) for part in facts.parts][-1] == (row_details.EXPOSED, 0.0)


def test_the_shares_are_those_of_the_row():
    found, _ = ANALYSED
    row = replace(found.rows[1], communication=0.3, data_wait=0.1, step_ms=StepTime(p50=200.0, p95=0, p99=0))
    (facts,) = row_details.step_parts(replace(found, rows=(row,)))
    assert {part.name: round(part.ms, 9) for part in facts.parts} == {
        row_details.WAIT: 20.0,
        row_details.COMPUTE: 120.0,
        row_details.EXPOSED: 60.0,
    }


def test_an_invalid_row_is_divided_into_nothing():
    its, launches, timed = study({SINGLE: [100.0] * 3, DDP2: [190.0] * 3})
    found = analyse(its, changed(launches, DDP2, closure_error=0.2), timed, [])
    assert [each.configuration for each in row_details.step_parts(found)] == [SINGLE.key]


# Energy.


def test_energy_is_joules_over_samples_and_watts_over_the_window():
    found, launches = analysed()
    launches = [replace(each, energy_j=80.0, window_samples=40, window_ns=2 * 10**9) for each in launches]
    for row in row_details.energy(found, launches):
        assert row.per_sample_j.estimate == pytest.approx(2.0)
        assert row.mean_w == pytest.approx(40.0)
        assert (row.per_sample_j.n, row.reason) == (3, None)


def test_energy_that_was_not_measured_has_the_reason_of_who_should_have():
    found, launches = analysed(unavailable=schema.unavailable(energy_j="no counter can be read"))
    assert {each.reason for each in row_details.energy(found, launches)} == {"no counter can be read"}
    assert {each.per_sample_j for each in row_details.energy(found, launches)} == {None}


@pytest.mark.parametrize("energy_j", [0.0, -5.0])
def test_a_counter_that_stood_still_or_ran_over_is_no_energy(energy_j):
    found, launches = analysed(energy_j=energy_j, window_ns=10**9)
    assert {each.per_sample_j for each in row_details.energy(found, launches)} == {None}


def test_a_row_that_never_ended_says_its_status_for_its_energy():
    found, launches = analysed({SINGLE: [100.0] * 3, DDP2: [None] * 3})
    assert [each.reason for each in row_details.energy(found, launches)] == ["not measured", "crash"]


# Ceilings.


def test_what_was_reached_is_the_rate_times_the_operations_of_a_sample():
    found, launches = analysed({GPU: [100.0] * 3, GPUS: [190.0] * 3}, flop_per_sample=FLOP, device_names=("Chip",))
    document = {each.configuration: each for each in row_details.reached(found, launches, (), PEAKS)}
    found_gpu, found_gpus = document[GPU.key], document[GPUS.key]
    assert found_gpu.flop_per_s == pytest.approx(100 * FLOP)
    assert found_gpu.ceilings[0].flop_per_s == pytest.approx(1e9)
    assert found_gpus.flop_per_s == pytest.approx(190 * FLOP)
    assert found_gpus.ceilings[0].flop_per_s == pytest.approx(2e9)  # of both devices
    assert found_gpu.ceilings[0].name == "published peak, fp32"


def test_without_any_ceiling_a_row_is_absent():
    found, launches = analysed(flop_per_sample=FLOP)
    assert row_details.reached(found, launches, (), PEAKS) == ()
    assert row_details.reached(found, launches, [card(each) for each in launches], None) == ()


def test_operations_that_were_not_counted_are_held_beneath_nothing():
    found, launches = analysed({GPU: [100.0] * 3}, device_names=("Chip",))
    assert row_details.reached(found, launches, (), PEAKS) == ()


def test_a_measured_ceiling_is_held_over_rows_that_use_as_many_cores_as_it_was_measured_with():
    whole = configuration(cores=2)
    found, launches = analysed({SINGLE: [100.0] * 3, whole: [180.0] * 3, DDP2: [190.0] * 3}, flop_per_sample=FLOP)
    facts = row_details.reached(found, launches, [card(each, **CEILINGS) for each in launches], None)
    assert {each.configuration for each in facts} == {whole.key, DDP2.key}
    assert {each.ceilings[0].flop_per_s for each in facts} == {4e8}
    assert facts[0].ceilings[0].source == "bench dna --measure"


def test_a_ceiling_measured_beside_other_programs_says_so():
    found, launches = analysed(flop_per_sample=FLOP)
    flags = ["gemm_flop_per_s: had 8% of the cores' time; other programs had the rest"]
    (facts,) = row_details.reached(found, launches, [card(each, **CEILINGS, flags=flags) for each in launches], None)
    assert facts.ceilings[0].name == "measured product of matrices, fp32, disturbed"
    other = [card(each, **CEILINGS, flags=["fsync_s: had 50%"]) for each in launches]
    assert row_details.reached(found, launches, other, None)[0].ceilings[0].name == "measured product of matrices, fp32"


@pytest.mark.parametrize(
    "measured",
    [
        {**CEILINGS, "device": "cuda"},
        {**CEILINGS, "gemm_flop_per_s": {"bf16": {"n": 20, "median": 1e9, "spread": 0.1}}},
        {"flags": []},
        {},
    ],
)
def test_a_ceiling_of_something_else_is_none_of_this_row(measured):
    found, launches = analysed(flop_per_sample=FLOP)
    assert row_details.reached(found, launches, [card(each, **measured) for each in launches], None) == ()


def test_an_invalid_row_reached_nothing():
    its, launches, timed = study({GPU: [100.0] * 3})
    launches = [replace(each, flop_per_sample=FLOP, device_names=("Chip",), closure_error=0.2) for each in launches]
    assert row_details.reached(analyse(its, launches, timed, []), launches, (), PEAKS) == ()


def test_more_than_a_published_peak_is_a_wrong_count_and_not_drawn():
    found, launches = analysed({GPU: [100.0] * 3}, flop_per_sample=1e9, device_names=("Chip",))
    assert row_details.reached(found, launches, (), PEAKS) == ()
