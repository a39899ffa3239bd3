"""What stands in for another device's rounding: every layer and every weight's gradient moves, at every step."""

import pytest
import torch
from torch import nn

from bench.worker.repro import perturb

EPSILON = 2.0**-23


class Attentive(nn.Module):
    """Layers that give a tensor, one that gives a tuple, and a weight that is not trained."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.last = nn.Linear(8, 4)
        self.first.bias.requires_grad_(False)

    def forward(self, x):
        x = torch.relu_(self.first(x))
        x, _ = self.attention(x, x, x)
        return self.last(self.norm(x))


@pytest.fixture
def seen():
    """The results of the layers and the gradients of a step, as they are or rounded otherwise by a seed."""

    def step(seed=None, steps=1):
        torch.manual_seed(0)
        model, x = Attentive(), torch.randn(4, 5, 8)
        if seed is not None:
            perturb.round_otherwise(model, seed)
        results = {}
        for name, module in model.named_children():
            module.register_forward_hook(
                lambda _module, _given, result, name=name: results.update(
                    {name: (result if isinstance(result, torch.Tensor) else result[0]).detach().clone()}
                )
            )
        for _ in range(steps):
            model.zero_grad()
            model(x).square().sum().backward()
        return results, {name: weight.grad for name, weight in model.named_parameters()}

    return step


def units(a, b):
    return float((a - b).abs().max() / (EPSILON * a.abs().max()))


def test_every_layer_moves_by_a_few_units_also_one_that_gives_a_tuple(seen):
    (plain, _), (moved, _) = seen(), seen(1)
    assert plain.keys() == moved.keys()
    assert 1 < units(plain["first"], moved["first"]) <= 9
    assert all(1 < units(plain[name], moved[name]) < 200 for name in plain)


def test_every_gradient_moves_and_a_weight_that_is_not_trained_has_none(seen):
    (_, plain), (_, moved) = seen(), seen(1)
    assert plain["first.bias"] is moved["first.bias"] is None
    assert all(units(plain[name], moved[name]) > 1 for name in plain if name != "first.bias")


def test_a_seed_moves_alike_and_another_one_or_another_step_otherwise(seen):
    once, again, other, later = seen(1)[0], seen(1)[0], seen(2)[0], seen(1, steps=2)[0]
    assert torch.equal(once["last"], again["last"])
    assert not torch.equal(once["last"], other["last"])
    assert not torch.equal(once["last"], later["last"])
