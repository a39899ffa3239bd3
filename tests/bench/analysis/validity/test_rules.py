import math
from dataclasses import replace

import pytest

from bench.analysis.statistics.steady import SLOWING, WARMING, window
from bench.analysis.validity.rules import (
    INVALID,
    SUSPECT,
    against_baseline,
    gathered,
    launch_findings,
    row_findings,
    study_findings,
)
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE, configuration, launch, plan, steps

DP2 = configuration("dp", 2, device="cuda", cores=None)


def sound(its=SINGLE, **changes):
    return launch(plan([its]).launches[0], **changes)


def kept(step_ms=100, count=40):
    return window(steps([step_ms] * count), 0)


def drifting(*drifts):
    return [replace(kept(), drift=drift) for drift in drifts]


def severities(findings):
    return [each.severity for each in findings]


@pytest.mark.parametrize("its", [SINGLE, DDP2, DP2])
def test_a_sound_launch_has_no_findings(its):
    assert list(launch_findings(sound(its), kept())) == []


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"closure_error": None}, SUSPECT, "not held against the wall clock"),
        ({"loss_finite": False}, INVALID, "NaN or infinite"),
        ({"loss_last": math.nan}, INVALID, "NaN or infinite"),
        ({"loss_first": math.inf}, INVALID, "NaN or infinite"),
        ({"loss_finite": None}, SUSPECT, "nothing proves that it trained"),
        ({"weights_moved": None}, SUSPECT, "nothing proves that it trained"),
        ({"weights_moved": False}, INVALID, "weights did not change"),
        ({"weights_equal": False}, INVALID, "different weights"),
        ({"world_size": 3}, INVALID, "another number of workers"),
        ({"clock_ns_per_step": 0.0021 * 100e6}, SUSPECT, "measuring took more than 0.2%"),
        ({"status": "suspect", "reason": "the GPU was throttled"}, SUSPECT, "throttled"),
    ],
)
def test_each_rule_finds_its_fault_and_nothing_else(changes, severity, words):
    (found,) = launch_findings(sound(**changes), kept())
    assert found.severity == severity
    assert words in found.text
    assert found.fix


@pytest.mark.parametrize("changes", [{"closure_error": 0.001}, {"clock_ns_per_step": 0.0019 * 100e6}])
def test_the_limits_themselves_are_allowed(changes):
    assert list(launch_findings(sound(**changes), kept())) == []


def test_two_ranks_on_one_accelerator_are_not_two_devices():
    (found,) = launch_findings(sound(configuration("ddp", 2, device="cuda"), distinct_devices=1), kept())
    assert found.severity == INVALID
    assert list(launch_findings(sound(DDP2, distinct_devices=1), kept())) == []  # cores: the plan says so itself


@pytest.mark.parametrize(
    ("step_ms", "count", "expected"),
    [(1000, 9, [INVALID]), (1000, 10, []), (100, 29, [SUSPECT]), (100, 30, []), (110, 28, []), (1, 9, [INVALID])],
)
def test_a_window_must_hold_enough_steps_or_seconds(step_ms, count, expected):
    assert severities(launch_findings(sound(), kept(step_ms, count))) == expected


def test_a_launch_without_a_timed_step_is_invalid():
    (found,) = launch_findings(sound(), None)
    assert found.severity == INVALID
    assert "no timed step" in found.text


def row(launches, windows=(), *, fixed_work=True):
    return [each.text for each in row_findings(launches, windows, fixed_work=fixed_work)]


def test_launches_that_did_the_same_work_are_sound():
    assert row([sound(), sound(), sound()], drifting(None, None, None)) == []


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([0.001] * 3, []),
        ([0.0011], [INVALID]),
        ([0.0046, 1e-6, 1e-6, 1e-6, 1e-6], [SUSPECT]),  # the row's rate is off by less than 0.1 % all the same
        ([0.0046, 1e-6, 1e-6], [INVALID]),
        ([0.2, 0, 0, 0, 0, 0], [INVALID]),
        ([math.nan, 0, 0, 0, 0, 0], [INVALID]),
        ([None, 0.0], []),
    ],
)
def test_steps_that_miss_the_wall_clock_forbid_a_ratio_where_they_can_move_the_rows_rate(errors, expected):
    assert severities(row_findings([sound(closure_error=each) for each in errors], [], fixed_work=True)) == expected


def test_a_missed_wall_clock_is_told_with_how_many_by_how_much_and_what_to_do():
    launches = [sound(closure_error=each) for each in (0.0046, 0, 0, 0, 0)]
    (found,) = row_findings(launches, [], fixed_work=True)
    assert found.text == "in 1 of 5 launches the step times miss the wall clock by more than 0.1% (by up to 0.5%)"
    assert "measure again" in found.fix


def test_models_of_different_size_in_one_row_are_invalid():
    assert row([sound(), sound(params=7)]) == ["launches trained models of different size"]


def test_different_numbers_of_samples_in_one_row_are_invalid():
    assert row([sound(), sound(window_samples=1)]) == ["launches trained on different numbers of samples"]
    assert row([sound(), sound(window_steps=20, window_samples=20 * 32)]) == [
        "launches trained on different numbers of samples"
    ]


def test_windows_of_equal_seconds_may_hold_different_numbers_of_steps():
    same_pace = [sound(), sound(window_steps=20, window_samples=20 * 32)]
    assert row(same_pace, fixed_work=False) == []
    assert row([sound(), sound(window_samples=41 * 32)], fixed_work=False)


def test_what_is_not_known_contradicts_nothing():
    assert row([sound(), sound(params=None, window_samples=None)]) == []


@pytest.mark.parametrize(
    ("drifts", "given"),
    [
        ([SLOWING, SLOWING, SLOWING, SLOWING, None, None], "in 4 of 6 launches the steps get slower"),
        ([WARMING, WARMING, None], "in 2 of 3 launches the steps still get faster"),
    ],
)
def test_a_majority_of_drifting_launches_is_no_steady_state(drifts, given):
    (found,) = row_findings([], drifting(*drifts), fixed_work=True)
    assert found.severity == INVALID
    assert given in found.text


@pytest.mark.parametrize(("drift", "given"), [(SLOWING, "get slower"), (WARMING, "still get faster")])
def test_a_launch_that_stands_alone_and_drifts_is_marked_and_not_condemned(drift, given):
    (found,) = row_findings([], drifting(drift), fixed_work=True)
    assert found.severity == SUSPECT
    assert f"the steps of the one launch {given}, which may be chance" in found.text
    assert "--rounds 3" in found.fix


@pytest.mark.parametrize("drifts", [[SLOWING, None, None], [SLOWING, SLOWING, WARMING, None], [SLOWING, WARMING]])
def test_single_drifting_launches_are_chance(drifts):
    assert row([], drifting(*drifts)) == []


def test_launches_of_one_method_machine_and_software_are_comparable():
    assert list(study_findings([sound(), sound(hw_id=None)])) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"method_version": 99}, "method_version"), ({"hw_id": "other"}, "machine"), ({"sw_id": "other"}, "software")],
)
def test_a_study_of_two_methods_machines_or_softwares_is_invalid(changes, words):
    (found,) = study_findings([sound(), sound(**changes)])
    assert found.severity == INVALID
    assert words in found.text


def test_a_row_with_another_model_than_the_baseline_is_invalid():
    assert list(against_baseline([sound()], [sound()])) == []
    assert severities(against_baseline([sound(params=1)], [sound()])) == [INVALID]


def test_equal_findings_become_one_that_counts_its_launches():
    (lost,) = launch_findings(sound(weights_moved=False), kept())
    (few,) = gathered([lost, lost], 6)
    (all_of_them,) = gathered([lost] * 6, 6)
    assert few.text == "in 2 of 6 launches the weights did not change"
    assert all_of_them == lost
