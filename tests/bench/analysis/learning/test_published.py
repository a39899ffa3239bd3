"""Measured beside published: the same metric after the same epoch, and what differs is named."""

from dataclasses import replace

import pytest

from bench.analysis.scaling import findings
from bench.plan import Published, Workload
from bench.store.schema import ClassScore
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE, epoch, row, study


def top1(value, **more):
    return Published(**{"metric": "top1", "value": value, "unit": "%", "epochs": 4, **more})


def analysed(*published, trained=4, schedule="constant", seeds=(0,), machine="A CPU", rates=None, classes=()):
    """A study whose accuracy after epoch n is n tenths, plus a hundredth per seed."""
    plan, launches, steps = study(rates or {SINGLE: [100.0] * len(seeds)})
    recipe = replace(plan.workload.recipe, schedule=schedule)
    work = Workload(model="lenet", data="digits", epochs=trained, recipe=recipe)
    plan = replace(plan, workload=work, published=tuple(published))
    launches = [replace(each, seed=seeds[each.round]) for each in launches]
    epochs = [
        epoch(each.launch_id, number, top1=(number + 1) / 10 + each.seed / 100, warm_s=11.0 * (number + 1))
        for each in launches
        for number in range(trained)
    ]
    scores = [score(each.launch_id, number, *found) for each in launches for number, *found in classes]
    return findings.analyse(plan, launches, steps, epochs, classes=scores, machine=machine)


def score(launch_id, number, name, recall):
    return ClassScore(
        study_id="s", launch_id=launch_id, epoch=number, label=hash(name) % 99, name=name, support=9, recall=recall,
        confusion=(),
    )  # fmt: skip


def only(found):
    (each,) = found.published
    return each


def test_a_share_is_held_in_points_against_the_published_percent():
    each = only(analysed(top1(43.5)))
    assert each.measured.estimate == pytest.approx(40.0)
    assert each.difference.estimate == pytest.approx(-3.5)
    assert (each.apart, each.reason, each.ratio) == ((), None, None)


def test_seeds_give_the_difference_its_interval():
    each = only(analysed(top1(40), seeds=(1, 2, 3)))
    assert each.measured.n == 3
    assert each.difference.estimate == pytest.approx(2.0)
    assert each.difference.low == pytest.approx(each.measured.low - 40)
    assert each.difference.low < 2 < each.difference.high


def test_an_epoch_of_a_published_run_is_held_against_the_same_epoch_of_ours():
    assert only(analysed(top1(19, epoch=2))).measured.estimate == pytest.approx(20.0)


def test_an_epoch_that_ours_never_reached_is_left_out():
    assert analysed(top1(19, epoch=3), trained=2).published == ()


def test_a_shorter_run_of_ours_is_held_against_the_end_and_says_so():
    each = only(analysed(top1(40), trained=2))
    assert each.measured.estimate == pytest.approx(20.0)
    assert each.apart == ("after 2 of its 4 epochs",)


def test_where_several_lengths_are_published_the_nearest_are_told():
    lengths = [top1(10, epochs=1), top1(20, epochs=2), top1(50, epochs=5)]
    assert [each.published.epochs for each in analysed(*lengths, trained=2).published] == [1, 2]
    assert [each.published.epochs for each in analysed(*lengths[1:], trained=1).published] == [2]
    assert [each.measured.estimate for each in analysed(*lengths[:2], trained=2).published] == pytest.approx([10, 20])


def test_a_part_of_a_longer_schedule_is_no_run_of_that_length():
    each = only(analysed(top1(20, epochs=2), trained=4, schedule="cosine"))
    assert each.apart == ("its run had 2 epochs, this one 4",)
    assert only(analysed(top1(20, epochs=2), trained=4)).apart == ()  # a constant rate does not know the length


def test_times_are_held_as_ratios_and_other_hardware_is_named():
    each = only(analysed(Published(metric="training_s", value=22.0, unit="s", epochs=4, hardware="A GPU")))
    assert (each.measured.estimate, each.ratio, each.apart) == (44.0, 2.0, ("other hardware",))
    same = only(analysed(Published(metric="training_s", value=22.0, unit="s", epochs=4, hardware="a cpu, 2 cores")))
    assert same.apart == ()


def test_another_device_is_named_for_whatever_was_measured():
    assert only(analysed(top1(40, device="mps"))).apart == ("on cpu, published on mps",)


def test_classes_are_found_by_name_and_the_worst_is_the_worst():
    classes = [(3, "Cat", 0.4), (3, "Dog", 0.6), (2, "Cat", 0.1)]
    cat = Published(metric="recall", value=35.4, unit="%", epochs=4, class_name="cat")
    worst = Published(metric="worst_recall", value=85, unit="%", epochs=4)
    mean = Published(metric="recall", value=0.5, epochs=4)
    bird = Published(metric="recall", value=50, unit="%", epochs=4, class_name="bird")
    found = analysed(cat, worst, mean, bird, classes=classes).published
    assert [each.measured and each.measured.estimate for each in found] == [
        pytest.approx(40), pytest.approx(40), pytest.approx(0.5), None,
    ]  # fmt: skip
    assert "no class 'bird'" in found[-1].reason


def test_what_is_published_of_several_ranks_is_held_against_their_row():
    two = Published(metric="throughput", value=200.0, unit="samples/s", ranks=2)
    found = analysed(two, top1(40), rates={SINGLE: [100.0], DDP2: [180.0]})
    assert [each.configuration for each in found.published] == [DDP2.key, SINGLE.key]
    assert found.published[0].ratio == pytest.approx(row(found, DDP2).throughput.estimate / 200)


def test_a_run_without_epochs_has_nothing_to_hold_against_an_accuracy():
    plan, launches, steps = study({SINGLE: [100.0]})
    plan = replace(plan, published=(top1(40), Published(metric="params", value=62006)))
    found = findings.analyse(plan, launches, steps, [])
    assert [each.published.metric for each in found.published] == ["params"]


def test_before_training_nothing_is_evaluated_and_that_is_said():
    each = only(analysed(top1(10, epoch=0)))
    assert (each.measured, each.difference) == (None, None)
    assert each.reason == "a run evaluates after each epoch, not before the first"
