"""A user's model is shown nothing before its first batch of training, but where that batch makes its weights."""

import threading

import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from bench.learn import WorkloadError
from bench.learn.models.trial import first_batch

IMAGES = torch.rand(4, 3, 8, 8)
OWN = "own.py:make"


class Noting(nn.Module):
    """Writes down what it is shown, in itself and in its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.norm = nn.Linear(192, 10), nn.BatchNorm2d(3)
        self.seen = []

    def forward(self, x):
        self.seen.append((tuple(x.shape), self.training, torch.is_grad_enabled()))
        return self.head(self.norm(x).flatten(1))


def test_a_model_that_is_whole_is_shown_nothing():
    model = Noting()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    first_batch(OWN, model, IMAGES, 10)
    assert model.seen == []
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


def test_what_cannot_be_copied_is_shown_nothing_either():
    model = Noting()
    model.lock = threading.Lock()
    first_batch(OWN, model, IMAGES, 5)
    assert model.seen == []


class MadeInForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen, self.head = [], None

    def forward(self, x):
        self.seen.append(x.clone())
        if self.head is None:
            self.head = nn.Linear(x.flatten(1).shape[1], 10)
        return self.head(x.flatten(1))


class Lazy(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.LazyConv2d(5, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(10))
        self.seen = []

    def forward(self, x):
        self.seen.append(x.clone())
        return super().forward(x)


@pytest.mark.parametrize("kind", [MadeInForward, Lazy])
def test_a_model_that_its_first_batch_makes_is_made_by_its_first_batch(kind):
    model = kind()
    first_batch(OWN, model, IMAGES, 10)
    assert [torch.equal(each, IMAGES) for each in model.seen] == [True]
    assert not any(map(is_lazy, (*model.parameters(), *model.buffers())))
    assert sum(each.numel() for each in model.parameters()) > 1000
    assert all(each.requires_grad for each in model.parameters())


def test_a_scale_that_is_set_from_the_first_batch_is_left_to_training():
    class FromFirstBatch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.is_set, self.head = nn.Parameter(torch.ones(())), False, nn.Linear(192, 10)

        def forward(self, x):
            if not self.is_set:
                self.scale.data.fill_(1 / float(x.std()))
                self.is_set = True
            return self.head((self.scale * x).flatten(1))

    model = FromFirstBatch()
    first_batch(OWN, model, IMAGES, 10)
    assert (model.is_set, model.scale.item()) == (False, 1.0)


def test_a_batch_of_a_fixed_size_and_a_forward_that_needs_gradients_are_taken():
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(192, 10)

        def forward(self, x):
            x = x.view(4, 192).requires_grad_()
            (slope,) = torch.autograd.grad(self.head(x).sum(), x, create_graph=True)
            return self.head(x - slope)

    first_batch(OWN, Fixed(), IMAGES, 10)


def test_a_model_that_does_not_fit_is_told_so_and_a_named_one_was_asked_before():
    with pytest.raises(WorkloadError, match=r"returns \[4, 10\] for 4 images of 3x8x8; the data has 7 classes"):
        first_batch(OWN, Noting(), IMAGES, 7)
    first_batch("resnet18", Noting(), IMAGES, 7)
    first_batch("timm:vit", Noting(), IMAGES, 7)


def test_the_batch_itself_is_not_written_to():
    class Writing(MadeInForward):
        def forward(self, x):
            return super().forward(x.div_(255))

    images = IMAGES.clone()
    first_batch(OWN, Writing(), images, 10)
    assert torch.equal(images, IMAGES)


def test_a_compiled_model_is_compiled_for_the_batch_of_training_alone():
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    model = torch.compile(Noting(), backend=counter)
    first_batch(OWN, model, IMAGES, 10)
    assert counter.frame_count == 0
    model(IMAGES)
    assert counter.frame_count >= 1
