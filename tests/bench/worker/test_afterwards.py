"""What is found out after the window is added to a result that is on disk already; what fails has a reason."""

import threading
from dataclasses import replace

import pytest
import torch
from torch import nn

from bench.worker import afterwards
from bench.worker.afterwards import Afterwards
from bench.worker.group import Group, NotProvenError, agreed
from bench.worker.job import RankResult

RESULT = RankResult(
    rank=0,
    world_size=1,
    device_name="cpu",
    distinct_devices=1,
    threads=1,
    params=1,
    epoch_samples=None,
    first_step_monotonic_ns=0,
    closure_error=0.0,
    loss_first=1.0,
    loss_last=1.0,
    losses_finite=True,
    weights_moved=True,
    peak_memory_bytes=1,
    window_cpu_s=1.0,
    window_switches=0,
    epochs=[],
)


@pytest.fixture
def saved():
    return []


@pytest.fixture
def after(saved):
    return Afterwards(RESULT, saved.append)


def test_the_result_is_on_disk_before_anything_is_looked_for(after, saved):
    assert saved == [RESULT]


def test_what_is_found_is_added(after, saved):
    after.find(flop_per_sample=lambda: 2.0)
    assert saved[-1] == replace(RESULT, flop_per_sample=2.0)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("no"), RuntimeError("two\nlines"), NotProvenError("is not defined")]
)
def test_what_fails_is_a_reason_and_takes_nothing_away(after, saved, error):
    def fail():
        raise error

    after.find(gradient_error=fail)
    after.find(flop_per_sample=lambda: 2.0)
    said = {"no": "ZeroDivisionError: no", "two\nlines": "RuntimeError: two"}.get(str(error), str(error))
    assert saved[-1] == replace(RESULT, flop_per_sample=2.0, unavailable={"gradient_error": said})


def test_while_it_is_looked_for_the_disk_says_so(after, saved):
    after.find(flop_per_sample=lambda: float(len(saved[-1].unavailable)))
    assert saved[-1].flop_per_sample == 1.0
    assert not saved[-1].unavailable


def test_what_never_ends_ends_this_rank_with_its_result(after, saved, monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(afterwards.os, "_exit", lambda code: ended.set() if code == 0 else None)
    after.find(gradient_error=lambda: ended.wait(30), limit_s=0.01)
    assert ended.is_set()
    assert any(each.unavailable == {"gradient_error": "not found out within 0 s"} for each in saved)


def test_what_is_no_field_is_only_done(after, saved):
    after.find(group=lambda: None)
    assert saved[-1] == RESULT


def test_a_rank_that_cannot_is_every_ranks_reason():
    single = Group(rank=0, world_size=1, backend=None)
    assert agreed(single, lambda: 3) == 3
    with pytest.raises(NotProvenError, match="ZeroDivisionError: no"):
        agreed(single, lambda: (_ for _ in ()).throw(ZeroDivisionError("no")))


class Recurrent(nn.Module):
    """With what only training mode can compute backwards on CUDA, and what a copy must not share."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.norm, self.head = nn.RNN(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)
        self.modes: list[bool] = []

    def forward(self, x):
        self.modes.append(self.training)
        return self.head(self.norm(self.rnn(x)[0]))


def test_operations_are_counted_in_training_mode_of_a_copy():
    model = Recurrent()
    assert afterwards.flop_per_sample(model, torch.rand(2, 4)) > 0
    assert model.modes == []
    assert model.norm.num_batches_tracked == 0
    assert model.head.weight.grad is None


def test_the_digest_is_of_what_ddp_keeps_equal():
    def digest(change):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
        model[2].requires_grad_(False)
        model._ddp_params_and_buffers_to_ignore = ["0.bias"]
        with torch.no_grad():
            change(model)
        return afterwards.weights_digest(model)

    same = digest(lambda model: None)
    assert digest(lambda model: model[0].weight.add_(1)) != same
    for change in (
        lambda model: model[1].running_mean.add_(1),
        lambda model: model[2].weight.add_(1),
        lambda model: model[0].bias.add_(1),
    ):
        assert digest(change) == same


@pytest.mark.parametrize("kind", [torch.complex64, torch.float64, torch.bfloat16, torch.float16])
def test_weights_of_any_kind_have_a_digest(kind):
    model = nn.Linear(3, 2).to(kind)
    before = afterwards.weights_digest(model)
    with torch.no_grad():
        model.weight[0, 0] += 1
    assert afterwards.weights_digest(model) != before
