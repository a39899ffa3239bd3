from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.scaling import advice
from bench.analysis.scaling.findings import analyse
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE, changed, configuration, study

BASE = (100.0, 101.0, 99.0, 100.5, 99.5, 100.2)
DOUBLE = tuple(1.9 * each for each in BASE)


def warnings(rates=None, change=lambda launches: launches, timing=None, **changes):
    plan, launches, timed = study(rates or {SINGLE: BASE, DDP2: DOUBLE}, **changes)
    timed = {name: timing(each) if timing else each for name, each in timed.items()}
    return analyse(plan, change(launches), timed, epochs=[]).warnings


def test_a_quiet_study_has_no_warnings():
    assert warnings() == ()


def test_more_than_the_hardware_added_asks_for_an_explanation():
    (text,) = warnings({SINGLE: BASE, DDP2: [2.3 * each for each in BASE]})
    assert "ddp cpu x2 is 115% efficient" in text
    assert "baseline" in text


def test_efficiency_that_may_be_chance_is_not_accused():
    noisy = [1.8 * 100, 2.3 * 101, 1.9 * 99, 2.4 * 100.5, 1.7 * 99.5, 2.1 * 100.2]
    assert not [text for text in warnings({SINGLE: BASE, DDP2: noisy}) if "efficient" in text]


def test_more_ranks_than_cores_are_told():
    (text,) = warnings(oversubscribed=True)
    assert "more ranks than cores" in text


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
    ("shares", "found"),
    [
        ([0.02] * 12, None),
        ([0.5] + [0.02] * 11, None),  # one disturbed launch of twelve
        ([0.3] * 12, "took 30% of the ranks' cores"),
        ([0.02] * 6 + [0.6] * 6, "took 31% of the ranks' cores while they were measured (up to 60% in a launch)"),
    ],
)
def test_what_others_used_while_it_was_measured_counts_and_not_a_minute_that_is_over(shares, found):
    def used(launches):
        return [
            replace(each, load_before=8.0, others_share=share) for each, share in zip(launches, shares, strict=True)
        ]

    assert [found in each for each in warnings(change=used)] == ([True] if found else [])


WIDE = configuration(cores=2)


def threads(launches, share, switches, cpu_s=3.0):
    return [
        replace(each, others_share=share, involuntary_switches=round(switches * cpu_s), worker_cpu_s=cpu_s)
        for each in launches
    ]


def spinning(its, share, switches):
    text = warnings({SINGLE: BASE, its: DOUBLE}, change=lambda launches: threads(launches, share, switches))
    return [each for each in text if "spinning" in each]


def test_two_threads_beside_other_programs_are_told_with_the_remedy():
    (found,) = spinning(WIDE, 0.86, 310)  # as one process with two threads was, at a load of 8
    assert "the 2 threads of each process of single cpu x1, 2 cores" in found
    assert "--env OMP_WAIT_POLICY=PASSIVE" in found


@pytest.mark.parametrize(
    ("its", "share", "switches"),
    [
        (DDP2, 0.86, 310),  # one thread a rank: nobody to wait for
        (WIDE, 0.02, 310),  # nobody else was there: threads of its own, as Gloo's, take each other off
        (WIDE, 0.86, 5),  # others were there and left its cores alone
        (WIDE, None, 310),  # nobody looked
    ],
)
def test_other_rows_are_not_said_to_spin(its, share, switches):
    assert spinning(its, share, switches) == []


@pytest.mark.parametrize("word", ["OMP_WAIT_POLICY=PASSIVE", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT=0", "KMP_BLOCKTIME=0"])
def test_who_has_said_how_threads_wait_is_not_told_to(word):
    rates = {SINGLE: BASE, WIDE: DOUBLE}
    text = warnings(rates, change=lambda each: threads(each, 0.8, 3900), settings={"study.env": [word]})
    assert not [each for each in text if "spinning" in each]


def test_of_a_row_the_median_launch_decides():
    def once(launches):
        launches = threads(launches, 0.01, 3)
        return [*threads(launches[:2], 0.9, 300), *launches[2:]]

    assert not [each for each in warnings({SINGLE: BASE, WIDE: DOUBLE}, change=once) if "spinning" in each]


def test_a_quiet_machine_is_never_accused():
    """Switches as 15 launches of one process on a quiet machine had: 1.2 to 4.7 a CPU second, mean 2.3."""
    rng = np.random.default_rng(5)
    rates = rng.lognormal(np.log(2.2), 0.37, (1000, 6))
    assert (np.median(rates, axis=1) > advice.TAKEN_OFF).mean() == 0
    assert spinning(WIDE, 0.05, float(rates.max())) == []


def test_a_baseline_that_drifts_over_the_rounds_is_told():
    falling = [100.0 * 0.98**number for number in range(6)]
    (text,) = warnings({SINGLE: falling, DDP2: [1.9 * each for each in falling]})
    assert "the baseline's rate changed by -9.6%" in text


def test_launches_that_scatter_are_told():
    scattered = [1.9 * each * factor for each, factor in zip(BASE, (1, 0.8, 1.1, 0.85, 1.05, 0.9), strict=True)]
    (text,) = warnings({SINGLE: BASE, DDP2: scattered})
    assert "launches of ddp cpu x2 differ by 12%" in text


def test_waiting_for_data_is_told_with_the_worst_share():
    (text,) = warnings(timing=lambda its: replace(its, data_wait_ns=its.step_ns // 4))
    assert "up to 25% of the time is spent waiting for data" in text


def test_outliers_are_told_and_kept():
    def stalled(its):
        return replace(its, step_ns=its.step_ns + (its.step == 20) * its.step_ns * 9)

    (text,) = warnings(timing=stalled)
    assert "12 of 480 timed steps lie far outside the others; they are kept" in text


def test_a_supervisor_that_takes_cpu_time_is_told():
    (text,) = warnings(change=lambda launches: changed(launches, DDP2, supervisor_cpu=0.2))
    assert "up to 20% of a core" in text


def test_what_launches_themselves_warned_of_is_told_once_with_its_count():
    (text,) = warnings(change=lambda launches: changed(launches, DDP2, warnings=("swap was used",)))
    assert "swap was used (in 6 of 12 launches)" in text


def test_every_warning_says_what_to_do():
    for text in warnings(oversubscribed=True, change=lambda launches: changed(launches, DDP2, supervisor_cpu=0.2)):
        effect, _, fix = text.rpartition(": ")
        assert effect
        assert fix
