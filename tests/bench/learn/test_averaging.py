"""Averaged weights: known answers, and a state that goes on exactly."""

import pytest
import torch
from torch import nn

from bench.learn import WorkloadError
from bench.learn.averaging import Ema


def one(value: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def test_the_first_update_copies_and_each_later_one_keeps_its_share():
    model = one(5.0)
    average = Ema(model, 0.9)
    for value in (1.0, 2.0, 4.0):
        nn.init.constant_(model.weight, value)
        average.update()
    assert average.module.weight.item() == pytest.approx(0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 4)


def test_it_is_what_torchs_averaged_model_gives_running_statistics_included():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    ours = Ema(model, 0.8)
    functions = torch.optim.swa_utils.get_ema_multi_avg_fn(0.8)
    theirs = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=functions, use_buffers=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.randn(2, 1, 5, 5)).square().mean().backward()
        optimizer.step()
        ours.update()
        theirs.update_parameters(model)
    for own, other in zip(ours.module.parameters(), theirs.module.parameters(), strict=True):
        assert torch.equal(own, other)
    assert torch.equal(ours.module[1].running_mean, theirs.module[1].running_mean)
    assert ours.module[1].num_batches_tracked == 4  # theirs averages the counter


def test_the_model_itself_is_left_alone_and_the_average_is_not_trained():
    model = one(1.0)
    average = Ema(model, 0.5)
    average.update()
    nn.init.constant_(model.weight, 3.0)
    average.update()
    assert model.weight.item() == 3.0
    assert average.module.weight.item() == 2.0
    assert not average.module.weight.requires_grad


def test_a_state_that_is_loaded_goes_on_exactly():
    model = one(1.0)
    first = Ema(model, 0.9)
    first.update()
    second = Ema(model, 0.9)
    second.load_state_dict(first.state_dict())
    nn.init.constant_(model.weight, 7.0)
    first.update()
    second.update()
    assert torch.equal(first.module.weight, second.module.weight)
    assert first.updates == second.updates == 2


def test_a_model_whose_copy_would_call_itself_has_no_averaged_weights():
    model = one(1.0)
    model.scaled = lambda images: 2 * model(images)
    with pytest.raises(WorkloadError, match="averaged weights"):
        Ema(model, 0.9)
