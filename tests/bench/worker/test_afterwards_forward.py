"""What a forward pass sets and sets back, and the types that it chooses for itself, are seen on a copy."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from bench.learn.copying import NotCopiedError
from bench.worker import train
from bench.worker.afterwards import look_into
from bench.worker.process_state import Watch

CPU = torch.device("cpu")
IMAGES = torch.rand(4, 3, 8, 8)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head, self.calls = nn.Conv2d(3, 4, 3), nn.Linear(144, 10), 0

    def forward(self, x):
        self.calls += 1
        return self.head(self.conv(x).flatten(1))


class OwnAutocast(Net):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x).float()


class OneThread(Net):
    def forward(self, x):
        torch.set_num_threads(1)
        try:
            return super().forward(x)
        finally:
            torch.set_num_threads(2)


class HalfInside(Net):
    def forward(self, x):
        features = self.conv(x).flatten(1)
        return nn.functional.linear(features.double(), self.head.weight.double()).float()


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def changed_by(model, precision="fp32"):
    watch, trainer = Watch(CPU, precision, 0), SimpleNamespace(autocast=partial(train.autocast, precision, CPU))
    seen = look_into(trainer, model, IMAGES)
    return watch.look_into_forward(seen.dtypes, seen.threads)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_forward_in_the_precision_asked_for_has_no_word(precision):
    model = Net()
    assert changed_by(model, precision) == {}
    assert model.calls == 0


@pytest.mark.parametrize(
    ("model", "changed"),
    [
        (OwnAutocast(), {"computed": ["float32", "bfloat16"]}),
        (HalfInside(), {"computed": ["float32", "float32, float64"]}),
        (OneThread(), {"threads": [2, 1]}),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 10), nn.Softmax(1)), {}),
    ],
)
def test_what_is_chosen_within_the_forward_is_seen(model, changed):
    assert changed_by(model) == changed


def test_a_model_that_cannot_be_copied_is_not_looked_into():
    model = Net()
    model.held = (number for number in range(3))
    with pytest.raises(NotCopiedError):
        changed_by(model)
