"""Epoch by epoch: what launches learned is what their rows hold."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.learning import curves
from bench.analysis.scaling.findings import analyse
from bench.store.schema import ClassScore
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE, changed, epoch, study

NAMES = ("cat", "dog", "ship")


def analysed(rates=None):
    plan, launches, timed = study(rates or {SINGLE: [100.0] * 3, DDP2: [190.0] * 3})
    return analyse(plan, launches, timed, []), launches, timed


def of(launches, configuration, number=None):
    return [each for each in launches if each.configuration == configuration.key and number in {None, each.round}]


def scores(launch, matrix, number=0):
    return [
        ClassScore(
            study_id=launch.study_id,
            launch_id=launch.launch_id,
            epoch=number,
            label=label,
            name=NAMES[label],
            support=sum(line),
            precision=None,
            recall=None,
            f1=None,
            confusion=tuple(line),
        )
        for label, line in enumerate(matrix)
    ]


def trained(launches, tops, **more):
    """Epochs of each launch: `tops` by its place."""
    return [
        epoch(launch.launch_id, number, top1=top1, **more)
        for launch, curve in zip(launches, tops, strict=True)
        for number, top1 in enumerate(curve)
    ]


def test_a_curve_is_the_mean_over_launches_and_counts_samples_and_seconds_from_the_start():
    found, launches, _ = analysed()
    results = trained(of(launches, SINGLE), [(0.5, 0.7), (0.6, 0.9), (0.7, 0.8)])
    (row,) = curves.curves(found, launches, results)
    assert [point.epoch for point in row.points] == [1, 2]
    assert [point.top1 for point in row.points] == pytest.approx([0.6, 0.8])
    assert [point.samples for point in row.points] == [1437, 2 * 1437]
    assert [point.seconds for point in row.points] == [10.0, 20.0]
    assert (row.launches, row.final_top1.n, row.train_s) == (3, 3, 20.0)
    assert (row.best_top1, row.best_epoch) == (pytest.approx(0.8), 2)


def test_the_order_in_which_epochs_were_stored_says_nothing():
    found, launches, _ = analysed()
    results = trained(launches, [(0.1 * place, 0.9 - 0.01 * place) for place in range(6)])
    assert curves.curves(found, launches, results[::-1]) == curves.curves(found, launches, results)


def test_a_launch_that_patience_ended_early_counts_with_its_own_last_epoch():
    """It once fell out of the mean, so that the page told another top-1 than the table, of fewer launches."""
    plan, launches, timed = study({SINGLE: [100.0] * 3})
    results = trained(launches, [(0.5, 0.6), (0.5, 0.7, 0.8), (0.5, 0.6, 0.7, 0.9)])
    (row,) = curves.curves(analyse(plan, launches, timed, results), launches, results)
    assert row.launches == row.final_top1.n == 3
    assert row.final_top1.estimate == pytest.approx((0.6 + 0.8 + 0.9) / 3)
    assert row.final_top1.estimate == pytest.approx(analyse(plan, launches, timed, results).rows[0].accuracy.top1)
    assert len(row.points) == 2  # further on, the mean would be of those that are still there
    assert row.train_s == pytest.approx(30.0)


def test_an_epoch_that_one_launch_lacks_is_no_point_and_no_error():
    found, launches, _ = analysed()
    mine = of(launches, SINGLE)
    results = trained(mine, [(0.5, 0.6, 0.7)] * 3)
    results = [each for each in results if (each.launch_id, each.epoch) != (mine[1].launch_id, 0)]
    (row,) = curves.curves(found, launches, results)
    assert [point.epoch for point in row.points] == [2, 3]
    assert row.points[-1].seconds == pytest.approx((30 + 20 + 30) / 3)


def test_top5_is_told_only_where_every_launch_has_it():
    found, launches, _ = analysed()
    results = trained(of(launches, SINGLE), [(0.5,)] * 3)
    assert curves.curves(found, launches, results)[0].points[0].top5 == pytest.approx(0.99)
    assert curves.curves(found, launches, [replace(results[0], top5=None), *results[1:]])[0].points[0].top5 is None


def test_the_gap_to_the_baseline_is_paired_by_round():
    found, launches, _ = analysed()
    base, mine = (0.50, 0.60, 0.70), (0.49, 0.59, 0.69)  # rounds differ by more than the rows do
    results = trained(of(launches, SINGLE), [(each,) for each in base]) + trained(
        of(launches, DDP2), [(each,) for each in mine]
    )
    first, second = curves.curves(found, launches, results)
    assert first.gap is None
    assert second.gap.estimate == pytest.approx(-0.01)
    assert second.gap.high - second.gap.low < 1e-6
    assert second.gap.n == 3


def test_without_a_common_round_there_is_no_gap():
    found, launches, _ = analysed()
    results = trained(of(launches, SINGLE, 0), [(0.5,)]) + trained(of(launches, DDP2, 1), [(0.5,)])
    assert [each.gap for each in curves.curves(found, launches, results)] == [None, None]


def test_a_failed_launch_teaches_nothing():
    found, launches, _ = analysed()
    results = trained(launches, [(0.5,)] * 6)
    assert curves.curves(found, changed(launches, DDP2, status="crash"), results)[-1].configuration == SINGLE.key


# Classes.


def test_confusion_of_several_launches_is_added_up_and_the_rest_follows_from_it():
    found, launches, _ = analysed()
    a, b = of(launches, SINGLE)[:2]
    results = scores(a, ((3, 1, 0), (0, 4, 0), (0, 0, 4))) + scores(b, ((1, 3, 0), (0, 4, 0), (2, 0, 2)))
    (row,) = curves.classes(found, launches, results)
    assert row.confusion == ((4, 4, 0), (0, 8, 0), (2, 0, 6))
    assert (row.launches, row.epoch) == (2, 1)
    cat, dog, ship = row.classes
    assert (cat.name, cat.support) == ("cat", 8)
    assert (cat.recall, cat.precision) == (4 / 8, 4 / 6)
    assert cat.f1 == pytest.approx(2 * (4 / 8) * (4 / 6) / (4 / 8 + 4 / 6))
    assert (dog.recall, dog.precision) == (1, 8 / 12)
    assert ship.precision == 1


def test_a_class_that_is_never_called_has_no_precision_and_one_without_samples_no_recall():
    found, launches, _ = analysed()
    (row,) = curves.classes(found, launches, scores(launches[0], ((0, 2, 0), (0, 5, 0), (0, 0, 0))))
    cat, _, ship = row.classes
    assert (cat.precision, cat.recall, cat.f1) == (None, 0, 0)
    assert (ship.precision, ship.recall, ship.f1) == (None, None, None)


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=3, max_size=3))
def test_supports_add_up_to_the_samples_and_every_share_is_one(matrix):
    found, launches, _ = ANALYSED
    (row,) = curves.classes(found, launches, scores(launches[0], matrix))
    assert sum(each.support for each in row.classes) == sum(map(sum, matrix))
    shares = [share for each in row.classes for share in (each.precision, each.recall, each.f1) if share is not None]
    assert all(0 <= share <= 1 for share in shares)


ANALYSED = analysed()


def test_only_the_last_epoch_of_each_launch_counts_also_where_one_trained_for_longer():
    """A launch that patience ended early once had no part in the classes."""
    found, launches, _ = analysed()
    a, b = of(launches, SINGLE)[:2]
    right = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    wrong = ((0, 1, 0), (1, 0, 0), (1, 0, 0))
    results = scores(a, wrong, 0) + scores(a, right, 1) + scores(b, wrong, 1) + scores(b, right, 2)
    (row,) = curves.classes(found, launches, results)
    assert row.confusion == ((2, 0, 0), (0, 2, 0), (0, 0, 2))
    assert (row.launches, row.epoch) == (2, 3)
