"""Every test image is counted once, whatever the number of ranks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.parallel import DataParallel

from bench.learn import WorkloadError, evaluate
from bench.learn.evaluate import Counts
from tests.bench.learn.loading import load


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 32), nn.ReLU(), nn.Linear(32, 10))


@pytest.mark.parametrize("size", [103, 105])
@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_shards_sum_to_the_counts_of_one_rank(numbered, model, size, world_size):
    data = numbered(test=size)
    whole = evaluate.evaluate(model, data, device="cpu", batch=16)
    parts = [
        evaluate.evaluate(model, data, device="cpu", rank=rank, world_size=world_size, batch=16)
        for rank in range(world_size)
    ]
    total = Counts.from_tensor(sum(part.to_tensor() for part in parts))
    assert evaluate.samples(whole) == evaluate.samples(total) == size
    assert torch.equal(total.confusion, whole.confusion)
    assert total.top5_hits == whole.top5_hits
    assert total.loss_sum == pytest.approx(whole.loss_sum, rel=1e-6)


@given(size=st.integers(0, 500), world_size=st.integers(1, 20))
def test_shards_cover_the_set_once_and_evenly(size, world_size):
    parts = [evaluate.shard(size, rank, world_size) for rank in range(world_size)]
    assert [index for part in parts for index in part] == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_numbers_are_those_of_a_plain_loop_over_single_images(numbered, model):
    data = numbered(test=37)
    counts = evaluate.evaluate(model, data, device="cpu", batch=8)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (data.mean, data.std))
    losses, first, five = [], 0, 0
    for image, label in zip(data.test_images, data.test_labels, strict=True):
        logits = model(((image / 255 - mean) / std)[None]).double()
        order = logits[0].argsort(descending=True).tolist()
        losses.append(nn.functional.cross_entropy(logits, label[None]).item())
        first, five = first + (order[0] == label), five + (int(label) in order[:5])
    assert evaluate.top1(counts) == pytest.approx(int(first) / 37)
    assert evaluate.top5(counts) == pytest.approx(int(five) / 37)
    assert evaluate.mean_loss(counts) == pytest.approx(sum(losses) / 37, rel=1e-5)


def test_training_mode_comes_back_and_no_running_statistic_moves(numbered):
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(192, 10))
    before = model[0].running_mean.clone()
    evaluate.evaluate(model, numbered(), device="cpu")
    assert model.training
    assert torch.equal(model[0].running_mean, before)
    model.eval()
    evaluate.evaluate(model, numbered(), device="cpu")
    assert not model.training


def test_a_model_that_fails_is_left_in_training_mode(numbered):
    model = nn.Sequential(nn.Linear(7, 7))
    with pytest.raises(RuntimeError):
        evaluate.evaluate(model, numbered(), device="cpu")
    assert model.training


def test_the_wrapper_is_not_used_because_it_would_talk_to_other_ranks(numbered, model):
    class Talkative(DataParallel):
        def forward(self, *inputs):
            raise AssertionError("a rank with fewer batches would wait for ever")

    assert evaluate.samples(evaluate.evaluate(Talkative(model), numbered(), device="cpu")) == 20


def test_top5_means_nothing_with_five_classes(numbered):
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
    counts = evaluate.evaluate(model, numbered(classes=5), device="cpu")
    assert evaluate.top5(counts) is None
    assert evaluate.top1(counts) is not None


def test_scores_of_a_class_are_those_of_the_textbook():
    counts = Counts(torch.tensor([[3, 1, 0], [2, 4, 0], [0, 0, 0]]), 0, 1.0)
    first, second, absent = evaluate.per_class(counts)
    assert (first.support, first.precision, first.recall) == (4, 3 / 5, 3 / 4)
    assert first.f1 == pytest.approx(2 * 0.6 * 0.75 / (0.6 + 0.75))
    assert (second.support, second.precision, second.recall) == (6, 4 / 5, 4 / 6)
    assert (absent.support, absent.precision, absent.recall, absent.f1) == (0, None, None, None)


def test_a_class_that_is_never_right_has_an_f1_of_zero():
    first, _ = evaluate.per_class(Counts(torch.tensor([[0, 2], [3, 0]]), 0, 1.0))
    assert (first.precision, first.recall, first.f1) == (0.0, 0.0, 0.0)


def test_nothing_counted_is_no_accuracy():
    empty = Counts(torch.zeros(10, 10, dtype=torch.int64), 0, 0.0)
    assert (evaluate.top1(empty), evaluate.top5(empty), evaluate.mean_loss(empty)) == (None, None, None)


def test_counts_travel_as_one_tensor_and_add_up():
    one = Counts(torch.arange(4).view(2, 2), 3, 0.25)
    both = Counts.from_tensor((one + one).to_tensor())
    assert torch.equal(both.confusion, torch.tensor([[0, 2], [4, 6]]))
    assert (both.top5_hits, both.loss_sum) == (6, 0.5)


def test_synthetic_data_cannot_be_evaluated_on(model):
    with pytest.raises(WorkloadError, match="no test images"):
        evaluate.evaluate(model, load("synthetic"), device="cpu")
