"""Last and best epoch distinguished, seeds as replicates, and how long an accuracy took."""

import pytest

from bench.analysis.learning import accuracy
from bench.store.schema import ClassScore
from tests.bench.analysis.analysis_fakes import SINGLE, epoch, launch, plan


def launches_of(seeds):
    planned = plan([SINGLE], rounds=len(seeds)).launches
    return [launch(each, seed=seed) for each, seed in zip(planned, seeds, strict=True)]


def trained(launch_id, *top1, **changes):
    return [epoch(launch_id, number, top1=each, **changes) for number, each in enumerate(top1)]


def test_the_last_epoch_is_the_result_and_the_best_stands_beside_it():
    (one,) = launches_of([7])
    found = accuracy.accuracy([one], trained(one.launch_id, 0.3, 0.62, 0.6, train_top1=0.7))
    assert (found.top1, found.epoch, found.best_top1, found.best_epoch) == (0.6, 3, 0.62, 2)
    assert (found.train_top1, found.gap) == (0.7, pytest.approx(0.1))
    assert (found.seeds, found.low, found.high) == (1, None, None)


def test_the_best_epoch_is_one_of_all_launches_and_not_of_those_that_went_on():
    two = launches_of([1, 2])
    epochs = [*trained(two[0].launch_id, 0.1, 0.5, 0.9), *trained(two[1].launch_id, 0.1, 0.3)]
    found = accuracy.accuracy(two, epochs)
    assert (found.best_top1, found.best_epoch) == (pytest.approx((0.9 + 0.3) / 2), 3)
    assert found.best_top1 >= found.top1


def test_of_two_equally_good_epochs_the_first_is_the_best():
    (one,) = launches_of([7])
    assert accuracy.accuracy([one], trained(one.launch_id, 0.3, 0.6, 0.6)).best_epoch == 2


def test_three_seeds_give_an_interval_and_two_give_none():
    three = launches_of([1, 2, 3])
    epochs = [
        each for one, top1 in zip(three, (0.70, 0.71, 0.72), strict=True) for each in trained(one.launch_id, top1)
    ]
    found = accuracy.accuracy(three, epochs)
    assert (found.seeds, found.top1) == (3, pytest.approx(0.71))
    half = 4.302653 * 0.01 / 3**0.5  # t of 97.5 % at 2 degrees of freedom
    assert (found.low, found.high) == (pytest.approx(0.71 - half), pytest.approx(0.71 + half))
    two = accuracy.accuracy(three[:2], epochs[:2])
    assert (two.seeds, two.low, two.high) == (2, None, None)


def test_launches_that_repeat_a_seed_are_one_replicate_of_its_luck():
    four = launches_of([1, 1, 2, 3])
    tops = (0.60, 0.80, 0.71, 0.72)
    epochs = [each for one, top1 in zip(four, tops, strict=True) for each in trained(one.launch_id, top1)]
    repeated = accuracy.accuracy(four, epochs)
    assert repeated.seeds == 3
    three = launches_of([1, 2, 3])
    means = [each for one, top1 in zip(three, (0.70, 0.71, 0.72), strict=True) for each in trained(one.launch_id, top1)]
    plain = accuracy.accuracy(three, means)
    assert (repeated.low, repeated.high) == (pytest.approx(plain.low), pytest.approx(plain.high))


def test_a_launch_that_stopped_early_counts_with_its_own_last_epoch():
    two = launches_of([1, 2])
    epochs = [*trained(two[0].launch_id, 0.1, 0.5, 0.6), *trained(two[1].launch_id, 0.1, 0.4)]
    found = accuracy.accuracy(two, epochs)
    assert (found.top1, found.epoch) == (pytest.approx(0.5), 3)


def test_nothing_evaluated_is_no_accuracy():
    assert accuracy.accuracy(launches_of([1]), []) is None
    assert accuracy.time_to(0.9, []) is None


def test_the_time_to_an_accuracy_is_told_cold_warm_and_of_training_alone():
    (one,) = launches_of([1])
    epochs = [
        epoch(
            one.launch_id, number, top1=top1, train_s=10.0, cold_s=5 + 12.0 * (number + 1), warm_s=12.0 * (number + 1)
        )
        for number, top1 in enumerate((0.5, 0.9, 0.95))
    ]
    found = accuracy.time_to(0.9, epochs)
    assert (found.reached, found.launches, found.epochs) == (1, 1, 2.0)
    assert (found.cold_s, found.warm_s, found.train_s) == (29.0, 24.0, 20.0)


def test_an_accuracy_that_some_launches_never_reached_says_how_many_did():
    two = launches_of([1, 2])
    epochs = [*trained(two[0].launch_id, 0.5, 0.9), *trained(two[1].launch_id, 0.5, 0.6)]
    some = accuracy.time_to(0.9, epochs)
    assert (some.reached, some.launches, some.epochs, some.cold_s) == (1, 2, 2.0, None)
    none = accuracy.time_to(0.99, epochs)
    assert (none.reached, none.epochs, none.warm_s, none.train_s) == (0, None, None, None)


def score(launch_id, number, label, recall):
    return ClassScore(
        study_id="s", launch_id=launch_id, epoch=number, label=label, name=str(label), support=1, recall=recall,
        confusion=(),
    )  # fmt: skip


def test_the_worst_class_is_that_of_the_last_epoch_over_all_launches():
    scores = [score("a", 0, 0, 0.1), score("a", 1, 0, 0.6), score("a", 1, 1, 0.9), score("b", 0, 0, 0.8)]
    scores.append(score("b", 0, 1, 0.5))
    assert accuracy.worst_recall(scores) == pytest.approx(0.7)  # class 0: 0.6 and 0.8; class 1: 0.9 and 0.5
    assert accuracy.worst_recall([]) is None


def test_a_target_says_by_how_much_it_was_missed_and_a_ceiling_counts_the_other_way():
    (one,) = launches_of([1])
    found = accuracy.accuracy([one], trained(one.launch_id, 0.6, validation_loss=1.5))
    top1, worst, loss = accuracy.targets({"validation_loss": 1.2, "top1": 0.65, "worst_recall": 0.5}, "row", found, [])
    assert (top1.metric, top1.measured, top1.missed_by) == ("top1", 0.6, pytest.approx(0.05))
    assert (worst.measured, worst.missed_by) == (None, None)
    assert (loss.at_most, loss.missed_by) == (True, pytest.approx(0.3))
    (reached,) = accuracy.targets({"top1": 0.6}, "row", found, [])
    assert reached.missed_by == 0
