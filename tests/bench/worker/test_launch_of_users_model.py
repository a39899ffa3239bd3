"""A whole launch of a user's model in this process: what its first batch makes is trained, what it changes is kept."""

import pytest
import torch
from torch import nn

from bench.worker import run as launch
from bench.worker import session
from tests.bench.worker.tiny_training import ended, job_of, rank_of, stand_in


class Lazy(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(6))


class MadeInForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = None

    def forward(self, x):
        if self.head is None:
            self.head = nn.Linear(x[0].numel(), 6)
        return self.head(x.flatten(1))


class Changing(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(64, 6))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += self.training
        torch.set_flush_denormal(self.calls.item() > 8)
        return super().forward(x)


@pytest.fixture
def launched(tmp_path, monkeypatch):
    def launched(kind, **workload):
        stand_in(monkeypatch.setattr)
        monkeypatch.setattr(session, "build", lambda *_: kind())
        asked = job_of(workload={"model": "own.py:build", "epochs": 3, **workload})
        launch.run(rank_of(tmp_path), asked)
        return ended(tmp_path)

    yield launched
    torch.set_flush_denormal(False)


@pytest.mark.parametrize(("kind", "params"), [(Lazy, 4 * 9 + 4 + 8 + 144 * 6 + 6), (MadeInForward, 64 * 6 + 6)])
@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_a_model_that_its_first_batch_makes_is_trained_whole(launched, monkeypatch, kind, params, memory_format):
    made, optimizer_of = [], session.optimizer_of

    def noted(workload, recipe, plain, batches):
        optimizer, warnings = optimizer_of(workload, recipe, plain, batches)
        made.append(sum(each.numel() for group in optimizer.param_groups for each in group["params"]))
        return optimizer, warnings

    monkeypatch.setattr(session, "optimizer_of", noted)
    result = launched(kind, memory_format=memory_format)
    assert (result.params, made) == (params, [params])
    assert result.weights_moved


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor flushes no denormals")
def test_what_changes_while_it_trains_is_in_the_result(launched):
    assert launched(Changing).changed == {"denormals": ["kept", "flushed to zero"]}
