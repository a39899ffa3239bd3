"""The model that the harness is checked with does what it is told, and nothing else."""

import time

import pytest
import torch

from bench.learn import WorkloadError
from bench.learn.models import build
from bench.learn.models import known_answer as module

IMAGES = torch.zeros(4, 3, 8, 8)


def known(**options):
    return build("known-answer", (3, 8, 8), 10, {"sleep_ms": 0, **options})


@pytest.fixture
def slept(monkeypatch):
    """Seconds the model asked to sleep."""
    seconds = []
    monkeypatch.setattr(module, "_sleep", seconds.append)
    return seconds


def test_it_sleeps_once_a_training_step_and_not_at_all_when_evaluated(slept):
    model = known(sleep_ms=30)
    model(IMAGES)
    model.eval()(IMAGES)
    assert slept == [0.03]


def test_a_sleep_is_never_shorter_than_asked_and_leaves_gradients_alone():
    weight = torch.zeros(1, requires_grad=True)
    started = time.perf_counter()
    with torch.no_grad():
        module._sleep(0.02)
    assert time.perf_counter() - started >= 0.02
    assert weight.grad is None


@pytest.mark.parametrize(("rank", "seconds"), [("0", 0.01), ("1", 0.03)])
def test_a_straggler_sleeps_longer_on_its_rank_only(slept, monkeypatch, rank, seconds):
    monkeypatch.setenv("RANK", rank)
    known(sleep_ms=10, straggler_rank=1, straggler_factor=3)(IMAGES)
    assert slept == [pytest.approx(seconds)]


@pytest.mark.parametrize("size", [40, 4_000, 1_000_000])
def test_it_holds_the_gradient_bytes_it_was_asked_for(size):
    model = known(gradient_bytes=size)
    torch.nn.functional.cross_entropy(model(IMAGES), torch.tensor([0, 1, 1, 1])).backward()
    assert sum(each.grad.nbytes for each in model.parameters()) == size
    assert all(each.grad.abs().min() > 0 for each in model.parameters())


def test_it_crashes_and_turns_nan_at_the_step_asked_for():
    model = known(nan_at_step=1, crash_at_step=3)
    finite = [bool(model(IMAGES).isfinite().all()) for _ in range(3)]
    assert finite == [True, False, True]
    with pytest.raises(RuntimeError, match="crashed at step 3, as asked"):
        model(IMAGES)


def test_it_hangs_at_the_step_asked_for(monkeypatch):
    def interrupted(seconds):
        raise TimeoutError

    model = known(hang_at_step=1)
    model(IMAGES)
    monkeypatch.setattr(module.time, "sleep", interrupted)
    with pytest.raises(TimeoutError):
        model(IMAGES)


def test_it_misbehaves_on_the_guilty_rank_only(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    model = known(crash_at_step=0, nan_at_step=0, hang_at_step=0, rank=1)
    assert model(IMAGES).isfinite().all()


def test_negative_times_are_refused():
    with pytest.raises(WorkloadError, match="cannot be negative"):
        known(sleep_ms=-1)
