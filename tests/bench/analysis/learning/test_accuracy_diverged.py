"""A training whose loss became no number: since when, in which launches, and in the row's own words."""

import math

import pytest

from bench.analysis.learning import accuracy
from bench.analysis.result import INVALID
from bench.analysis.scaling import findings
from bench.store import schema
from tests.bench.analysis.analysis_fakes import SINGLE, epoch, study

NAN, INF = math.nan, math.inf


def curve(launch_id, train, validation=None):
    return [
        epoch(launch_id, number, train_loss=loss, validation_loss=held_out)
        for number, (loss, held_out) in enumerate(zip(train, validation or train, strict=True))
    ]


@pytest.mark.parametrize(
    ("train", "validation", "given"),
    [
        ((2.0, 1.0, 0.5), None, None),
        ((NAN, NAN, NAN), None, "diverged: loss NaN from epoch 1 on"),
        ((2.0, 1.0, NAN), None, "diverged: loss NaN from epoch 3 on"),
        ((2.0, INF, NAN), None, "diverged: loss infinite from epoch 2 on"),
        ((2.0, 1.0, NAN), (2.0, NAN, NAN), "diverged: loss NaN from epoch 3 on"),
        ((2.0, 1.0, 0.5), (2.0, INF, INF), "diverged: validation loss infinite from epoch 2 on"),
    ],
)
def test_the_first_epoch_without_a_number_is_named(train, validation, given):
    found = accuracy.divergences(reversed(curve("a", train, validation)))
    assert [str(each) for each in found.values()] == ([given] if given else [])


def analysed(*curves):
    plan, launches, steps = study({SINGLE: [1000.0] * len(curves)})
    epochs = [each for launch, losses in zip(launches, curves, strict=True) for each in curve(launch.launch_id, losses)]
    return findings.analyse(plan, launches, steps, epochs).rows[0]


def test_one_of_several_launches_makes_the_row_invalid_and_is_counted():
    row = analysed((2.0, 1.0), (2.0, NAN), (2.0, 1.0))
    assert row.verdict.word == INVALID
    assert row.verdict.reasons[0].startswith(
        "in 1 of 3 launches diverged: loss NaN from epoch 2 on: lower the learning"
    )
    assert math.isnan(row.accuracy.loss)


def test_a_validation_loss_alone_leaves_the_speed_standing_and_marks_the_row():
    plan, launches, steps = study({SINGLE: [1000.0]})
    row = findings.analyse(plan, launches, steps, curve(launches[0].launch_id, (2.0, 1.0), (NAN, NAN))).rows[0]
    assert row.status == schema.SUSPECT
    assert row.verdict is None or row.verdict.word != INVALID
    assert "diverged: validation loss NaN from epoch 1 on" in row.reasons[0]


def test_an_accuracy_that_never_moved_has_a_best_epoch_and_no_trouble():
    _, launches, _ = study({SINGLE: [1000.0]})
    stuck = [epoch(launches[0].launch_id, number, top1=0.1) for number in range(4)]
    found = accuracy.accuracy(launches, stuck)
    assert (found.top1, found.best_top1, found.best_epoch) == (0.1, 0.1, 1)
