"""What is tried on a model is tried on a copy, and leaves no trace in the model or in the random numbers."""

import random
import threading
import weakref
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

from bench.learn.copying import NotCopiedError, copy_of, random_numbers_kept

CPU = torch.device("cpu")


class Counting(nn.Module):
    """Changes with every forward: a buffer, and a plain number."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.calls = nn.Linear(4, 2), 0
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.seen += 1
        return self.head(x)


def test_a_forward_of_the_copy_leaves_the_model_as_it_was():
    model = Counting()
    copy_of(model)(torch.ones(1, 4)).sum().backward()
    assert (model.calls, model.seen.item(), model.head.weight.grad) == (0, 0, None)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("normed", [weight_norm, parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_norm_of_the_weights_is_copied_after_a_forward_too(normed):
    model = nn.Sequential(normed(nn.Linear(4, 2)))
    model(torch.ones(1, 4))
    model.eval()
    copied = copy_of(model)
    assert torch.equal(copied(torch.ones(1, 4)), model(torch.ones(1, 4)))


@pytest.mark.parametrize("held", [threading.Lock(), (number for number in range(3))])
def test_what_cannot_be_copied_is_said_in_one_line(held):
    model = nn.Linear(4, 2)
    model.held = held
    with pytest.raises(NotCopiedError, match=r"^the model cannot be copied \(TypeError: cannot pickle"):
        copy_of(model)


def test_a_model_that_hands_out_itself_as_its_copy_has_none():
    class Same(nn.Linear):
        def __deepcopy__(self, memo):
            return self

    with pytest.raises(NotCopiedError, match="share its weights"):
        copy_of(Same(4, 2))


def drawn():
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002 - the one that models draw from


def test_what_is_drawn_inside_was_not_drawn_for_those_who_follow():
    with random_numbers_kept(CPU):
        inside = drawn()
    assert drawn() == inside


class Reaching(nn.Sequential):
    """Reaches its layer by something that a copy does not have anew."""

    def __init__(self, reach) -> None:
        super().__init__(nn.Linear(4, 2))
        self.reach = reach(self)


@pytest.mark.parametrize(
    "reach",
    [
        lambda model: lambda x: 2 * model[0](x),
        lambda model: lambda x, weight=model[0].weight: x @ weight.T,
        lambda model: weakref.ref(model[0]),
        lambda model: model.register_forward_hook(lambda *_: model.train()),
    ],
)
def test_a_model_whose_copy_would_call_the_model_itself_has_none(reach):
    with pytest.raises(NotCopiedError, match="would call the model itself"):
        copy_of(Reaching(reach))


@pytest.mark.parametrize(
    "reach",
    [
        lambda _: lambda x: 2 * x,
        lambda model: model.parameters,
        lambda _: nn.GRU(4, 2),
        lambda model: [partial(torch.mul, model[0].weight)],
    ],
)
def test_functions_that_do_not_lead_back_to_the_model_hinder_no_copy(reach):
    model = Reaching(reach)
    assert torch.equal(copy_of(model)[0].weight, model[0].weight)
