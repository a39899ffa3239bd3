"""What is tried on a model is tried on a copy, and leaves no trace in the model or in the random numbers."""

import random
import threading

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
