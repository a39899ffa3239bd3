"""Step by step: what is drawn of launches is what their rows hold."""

from dataclasses import replace

import numpy as np

from bench.analysis.scaling import row_details
from bench.analysis.scaling.findings import analyse
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE, steps, study

NAMES = ("cat", "dog", "ship")


def analysed(rates=None):
    plan, launches, timed = study(rates or {SINGLE: [100.0] * 3, DDP2: [190.0] * 3})
    return analyse(plan, launches, timed, []), launches, timed


def of(launches, configuration, number=None):
    return [each for each in launches if each.configuration == configuration.key and number in {None, each.round}]


def test_a_trace_is_the_slowest_rank_of_each_step_with_its_warm_up_in_front():
    found, launches, timed = analysed()
    (launch, *_) = of(launches, DDP2)
    timed[launch.launch_id] = steps([[5.0, 4.0, 2.0, 2.0], [1.0, 6.0, 3.0, 1.0]], ranks=2, warmup=2)
    mine = next(each for each in row_details.traces(found, launches, timed) if each.configuration == DDP2.key)
    trace = mine.traces[0]
    assert trace.step_ms == (5.0, 6.0, 3.0, 2.0)
    assert trace.warmup_steps == 2
    assert trace.round == launch.round


def test_every_row_says_how_many_launches_it_has_of_those_it_tells():
    many = 30
    found, launches, timed = analysed({SINGLE: [100.0] * many, DDP2: [190.0] * many})
    for row in row_details.traces(found, launches, timed):
        assert row.launches == many
        assert len(row.traces) == row_details.LAUNCHES_OF_A_ROW
        rounds = [each.round for each in row.traces]
        assert (rounds[0], rounds[-1]) == (0, many - 1)
        assert rounds == sorted(set(rounds))
        assert max(np.diff(rounds)) - min(np.diff(rounds)) <= 1  # evenly spread


def test_a_row_whose_launches_left_no_steps_has_no_trace_rather_than_an_empty_one():
    found, launches, timed = analysed({SINGLE: [100.0] * 3, DDP2: [None] * 3})
    assert [each.configuration for each in row_details.traces(found, launches, timed)] == [SINGLE.key]


def test_a_launch_that_crashed_is_no_trace_whatever_steps_it_left():
    found, launches, timed = analysed()
    crashed = [replace(each, status="crash") if each.round == 0 else each for each in launches]
    assert {each.launches for each in row_details.traces(found, crashed, timed)} == {2}
