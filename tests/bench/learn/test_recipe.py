"""Torch's own optimizer, schedule and loss, as the recipe says."""

import math

import pytest
import torch
from torch import nn

from bench.learn import WorkloadError, recipe
from bench.plan import SCHEDULES, Recipe


def trained(optimizer, model, steps=5):
    torch.manual_seed(0)
    inputs, labels = torch.randn(16, 4), torch.randint(0, 3, (16,))
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return model.weight.detach()


def linear():
    torch.manual_seed(1)
    return nn.Linear(4, 3)


def test_every_number_of_the_recipe_reaches_the_optimizer():
    told = Recipe(learning_rate=0.3, momentum=0.8, weight_decay=0.01, nesterov=True)
    ours, plain = linear(), linear()
    by_hand = torch.optim.SGD(plain.parameters(), lr=0.3, momentum=0.8, weight_decay=0.01, nesterov=True)
    assert torch.allclose(trained(recipe.optimizer(ours, told), ours), trained(by_hand, plain), atol=1e-6)


def test_frozen_weights_are_left_alone_and_nothing_to_train_is_an_error():
    model = linear()
    model.weight.requires_grad_(False)
    assert len(recipe.optimizer(model, Recipe()).param_groups[0]["params"]) == 1
    with pytest.raises(WorkloadError, match="no trainable parameters"):
        recipe.optimizer(nn.Flatten(), Recipe())


def test_numbers_that_torch_refuses_are_told_as_the_recipes():
    with pytest.raises(WorkloadError, match="The recipe cannot be used: Nesterov"):
        recipe.optimizer(linear(), Recipe(momentum=0.0, nesterov=True))


def test_cosine_falls_to_zero_over_the_run():
    optimizer = recipe.optimizer(linear(), Recipe(learning_rate=0.4))
    schedule = recipe.scheduler(optimizer, Recipe(learning_rate=0.4, schedule="cosine"), 10)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.2 * (1 + math.cos(math.pi * step / 10)) for step in range(10)])
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)


def test_every_schedule_of_the_plan_is_known_and_no_other():
    for name in SCHEDULES:
        made = recipe.scheduler(recipe.optimizer(linear(), Recipe()), Recipe(schedule=name), 10)
        assert (made is None) == (name == "constant")
    with pytest.raises(WorkloadError, match="constant, cosine"):
        recipe.scheduler(recipe.optimizer(linear(), Recipe()), Recipe(schedule="linear"), 10)


def test_label_smoothing_reaches_the_loss():
    logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    right, wrong = -torch.log_softmax(logits, 1)[0]
    smoothed = recipe.loss_function(Recipe(label_smoothing=0.2))(logits, labels)
    assert smoothed.item() == pytest.approx(0.9 * right.item() + 0.1 * wrong.item())
