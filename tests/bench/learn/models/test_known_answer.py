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


def test_it_turns_nan_and_raises_at_the_steps_asked_for():
    model = known(nan_at_step=1, faults=[{"what": "raise", "step": 3}])
    finite = [bool(model(IMAGES).isfinite().all()) for _ in range(3)]
    assert finite == [True, False, True]
    with pytest.raises(RuntimeError, match="raised, as asked"):
        model(IMAGES)


def test_several_faults_of_one_step_strike_in_turn_and_each_once(monkeypatch):
    struck = []
    for what in ("helper", "kill"):
        monkeypatch.setitem(module.FAULTS, what, lambda what=what: struck.append(what))
    model = known(faults=[{"what": "helper", "step": 1}, {"what": "kill", "step": 1}])
    for _ in range(3):
        model(IMAGES)
    assert struck == ["helper", "kill"]


def test_no_fault_strikes_while_it_is_evaluated():
    known(faults=[{"what": "raise"}]).eval()(IMAGES)


@pytest.mark.parametrize(
    ("folder", "rank", "strikes"),
    [
        ("2611220824-known-answer-0a1b.r00p01", "1", True),
        ("2611220824-known-answer-0a1b.r00p01.a2", "1", True),  # a later attempt of it
        ("2611220824-known-answer-0a1b.r00p01", "0", False),
        ("2611220824-known-answer-0a1b.r01p00", "1", False),
        ("", "1", False),
    ],
)
def test_a_fault_strikes_its_rank_of_its_launch_only(monkeypatch, folder, rank, strikes):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("BENCH_RUN_FOLDER", f"/results/studies/logs/{folder}" if folder else "")
    model = known(faults=[{"what": "raise", "rank": 1, "launch": "r00p01"}])
    if strikes:
        with pytest.raises(RuntimeError, match="as asked"):
            model(IMAGES)
    else:
        assert model(IMAGES).isfinite().all()


def test_memory_that_nobody_limits_is_taken_only_so_far(monkeypatch):
    monkeypatch.setattr(module, "_MOST_MEMORY_BYTES", 2 * module._BLOCK_BYTES)
    with pytest.raises(MemoryError, match="nobody minded"):
        known(faults=[{"what": "fill-host"}])(IMAGES)


@pytest.mark.parametrize(
    ("fault", "found"), [({"what": "explode"}, "knows no fault 'explode'"), ({"when": 3}, "has what, step, rank")]
)
def test_a_fault_that_is_none_is_refused(fault, found):
    with pytest.raises(WorkloadError, match=found):
        known(faults=[fault])


def test_negative_times_are_refused():
    with pytest.raises(WorkloadError, match="cannot be negative"):
        known(sleep_ms=-1)
