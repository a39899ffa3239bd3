"""An error in a step is told as the model's where the model raised it, and as it is where it did not."""

import pytest
import torch

from bench.learn import TrainingError
from bench.worker import run as launch
from bench.worker import session
from bench.worker.checkpoint import Checkpoints
from launchers.heartbeat import Heart
from tests.bench.worker.tiny_training import Net, job_of, rank_of, stand_in


class NoWayBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        raise ValueError("unhappy")


class Unhappy(Net):
    def __init__(self, where):
        super().__init__()
        self.where = where

    def forward(self, x):
        if self.where == "backward" or (self.where == "evaluation" and not self.training):
            return NoWayBack.apply(super().forward(x)) if self.training else self.fail()
        return self.fail() if self.where == "forward" else super().forward(x)

    def fail(self):
        raise ValueError("unhappy")


@pytest.mark.parametrize("where", ["forward", "backward", "evaluation"])
def test_an_error_of_the_model_is_told_with_its_line(tmp_path, monkeypatch, where):
    stand_in(monkeypatch.setattr)
    monkeypatch.setattr(session, "build", lambda *_: Unhappy(where))
    with pytest.raises(TrainingError, match=r"test_whose_error.py:\d+ raised ValueError: unhappy"):
        launch.run(rank_of(tmp_path), job_of(1))


@pytest.mark.parametrize(("kind", "name"), [(Heart, "beat"), (Checkpoints, "save")])
def test_an_error_of_the_rank_itself_is_not_the_models(tmp_path, monkeypatch, kind, name):
    def full(*_):
        raise OSError("No space left on device")

    stand_in(monkeypatch.setattr)
    monkeypatch.setattr(kind, name, full)
    with pytest.raises(OSError, match="No space left"):
        launch.run(rank_of(tmp_path), job_of(1))


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_a_model_that_leaves_is_no_error_of_its_training(tmp_path, monkeypatch, end):
    class Leaves(Net):
        def forward(self, _):
            raise end

    stand_in(monkeypatch.setattr)
    monkeypatch.setattr(session, "build", lambda *_: Leaves())
    with pytest.raises(end):
        launch.run(rank_of(tmp_path), job_of(1))
