"""What is exported of a launch: its course along axes that are told."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.statistics.steady import Steps
from bench.exporting.gather import after_epochs, over_steps
from bench.exporting.record import Setting, digest, scalars
from bench.store.schema import Epoch


def an_epoch(number: int, **changes) -> Epoch:
    document = {
        "study_id": "s",
        "launch_id": "l",
        "epoch": number,
        "train_s": 2.0,
        "evaluate_s": 0.5,
        "samples": 100,
        "learning_rate": 0.1,
        "train_loss": 1.0,
        "train_top1": 0.5,
        "validation_loss": 1.0,
        "top1": 0.5,
        "validation_samples": 10,
    }
    return Epoch(**document | changes)


def some(*, warmup: int, window: int, ranks: int = 1, slow: int = 0) -> Steps:
    """Steps of a millisecond; on the last rank of two in that one of `slow`."""
    count = (warmup + window) * ranks
    step = np.tile(np.arange(warmup + window), ranks)
    rank = np.repeat(np.arange(ranks), warmup + window)
    length = np.where((rank == ranks - 1) & (step == slow), 5_000_000, 1_000_000)
    return Steps(
        rank=rank,
        epoch=np.zeros(count, dtype=np.int64),
        step=step,
        in_window=step >= warmup,
        start_ns=step * 1_000_000,
        step_ns=length,
        data_wait_ns=np.full(count, 1_000),
        samples=np.full(count, 8),
        steps=np.ones(count, dtype=np.int64),
    )


def test_epochs_have_three_axes_and_count_from_one():
    first, second = after_epochs([an_epoch(1, samples=60), an_epoch(0, samples=100)])
    assert (first.index, first.samples, first.seconds) == (1, 100, 2.5)
    assert (second.index, second.samples, second.seconds) == (2, 160, 5.0)


def test_a_value_that_is_missing_is_absent_and_not_zero():
    assert "top5" not in after_epochs([an_epoch(0)])[0].values
    assert after_epochs([an_epoch(0, top5=0.0)])[0].values["top5"] == 0.0


def test_of_each_step_the_slowest_rank_counts_and_the_samples_of_all():
    points = over_steps(some(warmup=1, window=3, ranks=2, slow=2))
    assert [point.values["step_ms"] for point in points] == [1, 1, 5, 1]
    assert [point.samples for point in points] == [16, 32, 48, 64]
    assert [point.values["in_window"] for point in points] == [0, 1, 1, 1]


def test_many_steps_become_blocks_with_the_largest_beside_the_mean():
    points = over_steps(some(warmup=0, window=10, slow=3), most=2)
    assert [(point.index, point.values["steps"]) for point in points] == [(0, 5), (5, 5)]
    assert points[0].values["step_ms"] == pytest.approx(1.8)
    assert points[0].values["step_max_ms"] == 5


@given(warmup=st.integers(0, 30), window=st.integers(0, 200), ranks=st.integers(1, 3), most=st.integers(1, 50))
def test_blocks_lose_no_step_and_no_sample_and_none_reaches_over_the_warm_up(warmup, window, ranks, most):
    points = over_steps(some(warmup=warmup, window=window, ranks=ranks), most)
    assert sum(point.values["steps"] for point in points) == warmup + window
    assert len(points) <= most + 2
    assert sum(point.values["steps"] for point in points if not point.values["in_window"]) == warmup
    if points:
        assert points[-1].samples == (warmup + window) * ranks * 8


@pytest.mark.parametrize(
    ("value", "found"),
    [(0.05, 0.05), (None, "-"), ([], "-"), ([1, 2], "1,2"), ({"b": 1, "a": 2}, '{"a": 2, "b": 1}'), (False, False)],
)
def test_a_setting_is_one_value_for_a_tracker(value, found):
    assert scalars(Setting(name="x", value=value, origin="default")) == found


def test_the_same_study_has_one_digest_and_a_study_that_grew_another(of, grown):
    before = of()
    assert digest(of()) == digest(before)
    grown()
    assert digest(of()) != digest(before)
    assert [digest(run) for run in of().runs[:3]] == [digest(run) for run in before.runs]


def test_a_store_that_was_moved_has_the_same_digest(of, a_checkpoint, learned, tmp_path):
    from bench.exporting.gather import record

    a_checkpoint(of().runs[0].launch.launch_id, {})
    before = of()
    assert before.runs[0].weights is not None
    learned.rename(tmp_path / "elsewhere")
    assert digest(record(tmp_path / "elsewhere", before.study)) == digest(before)


def test_a_launch_begins_with_its_first_step(of):
    run = of().runs[0]
    assert run.began_at == 1795335846.5 - (run.launch.startup_s is None) * 1.5
    assert SimpleNamespace(**run.numbers).throughput_sps == 320.5
