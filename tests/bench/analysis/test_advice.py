from dataclasses import replace

import pytest
from analysis_fakes import DDP2, SINGLE, changed, study

from bench.analysis.scaling import analyse

BASE = (100.0, 101.0, 99.0, 100.5, 99.5, 100.2)
DOUBLE = tuple(1.9 * each for each in BASE)


def warnings(rates=None, change=lambda launches: launches, timing=None, **changes):
    plan, launches, timed = study(rates or {SINGLE: BASE, DDP2: DOUBLE}, **changes)
    timed = {name: timing(each) if timing else each for name, each in timed.items()}
    return analyse(plan, change(launches), timed, epochs=[]).warnings


def test_a_quiet_study_has_no_warnings():
    assert warnings() == ()


def test_more_than_the_hardware_added_asks_for_an_explanation():
    (told,) = warnings({SINGLE: BASE, DDP2: [2.3 * each for each in BASE]})
    assert "ddp cpu x2 is 115% efficient" in told
    assert "baseline" in told


def test_efficiency_that_may_be_chance_is_not_accused():
    noisy = [1.8 * 100, 2.3 * 101, 1.9 * 99, 2.4 * 100.5, 1.7 * 99.5, 2.1 * 100.2]
    assert not [told for told in warnings({SINGLE: BASE, DDP2: noisy}) if "efficient" in told]


def test_more_ranks_than_cores_are_told():
    (told,) = warnings(oversubscribed=True)
    assert "more ranks than cores" in told


@pytest.mark.parametrize(("load", "expected"), [(0.4, 0), (3.0, 1), (None, 0)])
def test_a_machine_that_was_busy_before_the_first_launch_is_told(load, expected):
    def busy(launches):
        return [replace(each, load_before=load) if (each.round, each.position) == (0, 0) else each for each in launches]

    assert len(warnings(change=busy)) == expected


def test_load_after_the_first_launch_is_our_own():
    def loaded(launches):
        return [replace(each, load_before=8.0) if each.round else each for each in launches]

    assert warnings(change=loaded) == ()


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([0.02] * 12, None),
        ([0.5] + [0.02] * 11, None),  # one disturbed launch of twelve
        ([0.3] * 12, "took 30% of the ranks' cores"),
        ([0.02] * 6 + [0.6] * 6, "took 31% of the ranks' cores while they were measured (up to 60% in a launch)"),
    ],
)
def test_what_others_used_while_it_was_measured_counts_and_not_a_minute_that_is_over(shares, told):
    def used(launches):
        return [
            replace(each, load_before=8.0, others_share=share) for each, share in zip(launches, shares, strict=True)
        ]

    assert [told in each for each in warnings(change=used)] == ([True] if told else [])


def test_a_baseline_that_drifts_over_the_rounds_is_told():
    falling = [100.0 * 0.98**number for number in range(6)]
    (told,) = warnings({SINGLE: falling, DDP2: [1.9 * each for each in falling]})
    assert "the baseline's rate changed by -9.6%" in told


def test_launches_that_scatter_are_told():
    scattered = [1.9 * each * factor for each, factor in zip(BASE, (1, 0.8, 1.1, 0.85, 1.05, 0.9), strict=True)]
    (told,) = warnings({SINGLE: BASE, DDP2: scattered})
    assert "launches of ddp cpu x2 differ by 12%" in told


def test_waiting_for_data_is_told_with_the_worst_share():
    (told,) = warnings(timing=lambda its: replace(its, data_wait_ns=its.step_ns // 4))
    assert "up to 25% of the time is spent waiting for data" in told


def test_outliers_are_told_and_kept():
    def stalled(its):
        return replace(its, step_ns=its.step_ns + (its.step == 20) * its.step_ns * 9)

    (told,) = warnings(timing=stalled)
    assert "12 of 480 timed steps lie far outside the others; they are kept" in told


def test_a_supervisor_that_takes_cpu_time_is_told():
    (told,) = warnings(change=lambda launches: changed(launches, DDP2, supervisor_cpu=0.2))
    assert "up to 20% of a core" in told


def test_what_launches_themselves_warned_of_is_told_once_with_its_count():
    (told,) = warnings(change=lambda launches: changed(launches, DDP2, warnings=("swap was used",)))
    assert "swap was used (in 6 of 12 launches)" in told


def test_every_warning_says_what_to_do():
    for told in warnings(oversubscribed=True, change=lambda launches: changed(launches, DDP2, supervisor_cpu=0.2)):
        effect, _, fix = told.rpartition(": ")
        assert effect
        assert fix
