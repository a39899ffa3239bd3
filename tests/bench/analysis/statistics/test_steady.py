import doctest
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.analysis.statistics import steady
from bench.analysis.statistics.steady import (
    SLOWING,
    WARMING,
    Steps,
    equal_cut,
    kept,
    launch_rate,
    mser_cut,
    outliers,
    slowest_rank,
    step_time,
    tail_drift,
    window,
)
from tests.bench.analysis.analysis_fakes import steps

few = settings(max_examples=50, deadline=None)
step_lengths = hnp.arrays(np.int64, st.integers(20, 80), elements=st.integers(10**6, 10**9))


def joined(*parts: Steps) -> Steps:
    return Steps(**{each.name: np.concatenate([getattr(p, each.name) for p in parts]) for each in fields(Steps)})


def moved(its: Steps, by_ns: int) -> Steps:
    return replace(its, start_ns=its.start_ns + by_ns)


def test_examples_in_the_docstrings_are_true():
    assert doctest.testmod(steady).failed == 0


def test_a_sleep_of_10_ms_at_batch_32_reads_3200_samples_per_second():
    assert launch_rate(steps([10.0] * 100), cut=0).throughput_sps == pytest.approx(3200, rel=1e-9)


def test_two_ranks_at_the_same_pace_make_twice_the_rate():
    assert launch_rate(steps(100, ranks=2), cut=0).throughput_sps == pytest.approx(640, rel=1e-9)


def test_a_straggler_sets_the_rate_of_the_whole_group():
    # Rank 1 needs twice as long: not the sum (480), not the mean of rates, but all samples over the longest wall.
    straggling = steps(np.array([[100.0] * 40, [200.0] * 40]), ranks=2)
    assert launch_rate(straggling, cut=0).throughput_sps == pytest.approx(320, rel=1e-9)


def test_a_rank_that_starts_late_lengthens_the_wall():
    late = joined(steps(100), replace(moved(steps(100), 4 * 10**9), rank=np.ones(40, dtype=np.int64)))
    assert launch_rate(late, cut=0).wall_ns == 8 * 10**9


def test_time_between_epochs_belongs_to_evaluation_and_is_not_counted():
    assert launch_rate(steps(100, epochs=3), cut=0).throughput_sps == pytest.approx(320, rel=1e-9)


def test_a_stall_stays_in_the_rate():
    lengths = [10.0] * 98 + [30.0] * 2
    assert launch_rate(steps(lengths), cut=0).throughput_sps == pytest.approx(32 * 100 / 1.04, rel=1e-9)


def test_warm_up_steps_are_absent_from_every_number():
    slow_start = steps([500.0] * 10 + [100.0] * 40, warmup=10)
    clean = steps([100.0] * 40)
    assert launch_rate(slow_start, 0) == launch_rate(clean, 0)
    assert window(slow_start, 0).steps == 40
    assert step_time([window(slow_start, 0)]).p99 == pytest.approx(100)


def test_the_cut_drops_the_first_steps_of_the_window_on_every_rank():
    its = steps(np.array([[200.0] * 5 + [100.0] * 35] * 2), ranks=2, warmup=0)
    assert launch_rate(its, 5).throughput_sps == pytest.approx(640, rel=1e-9)
    assert window(its, 5).steps == 35
    assert np.bincount(kept(its, 5).rank).tolist() == [35, 35]


def test_the_cut_falls_in_the_first_epoch_only():
    assert np.bincount(kept(steps(100, epochs=2), 5).epoch).tolist() == [35, 40]


def test_a_cut_counts_steps_also_where_steps_come_in_blocks():
    blocks = steps(100, block=8)
    assert window(blocks, 16).steps == 8 * 38
    assert slowest_rank(blocks)[0] == pytest.approx(100e6 / 8)


def test_a_window_without_steps_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="no timed step is left after a cut of 40"):
        launch_rate(steps(100), 40)
    with pytest.raises(ValueError, match="no timed step"):
        launch_rate(steps(100, warmup=40), 0)


def test_a_window_without_samples_is_an_error():
    with pytest.raises(ValueError, match="0 samples"):
        launch_rate(steps(100, batch=0), 0)


def test_columns_of_the_store_become_steps():
    its = steps(100, warmup=10)
    columns = {each.name: getattr(its, each.name) for each in fields(Steps) if each.name != "in_window"}
    columns |= {"phase": np.where(its.in_window, "window", "warmup").astype(object), "study_id": np.array(["s"] * 40)}
    read = Steps.from_columns(columns)
    assert all(np.array_equal(getattr(read, each.name), getattr(its, each.name)) for each in fields(Steps))


@few
@given(step_lengths, st.integers(2, 50))
def test_slower_steps_by_a_factor_are_a_lower_rate_by_that_factor(lengths, factor):
    before, after = steps(lengths / 1e6), steps(lengths * factor / 1e6)
    assert launch_rate(before, 0).throughput_sps == pytest.approx(factor * launch_rate(after, 0).throughput_sps)


@few
@given(step_lengths, st.integers(0, 10**12))
def test_the_rate_does_not_depend_on_when_the_clock_was_started(lengths, shift):
    its = steps(lengths / 1e6)
    assert launch_rate(moved(its, shift), 5) == launch_rate(its, 5)


@few
@given(step_lengths, st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(lengths, rng):
    its = joined(steps(lengths / 1e6), replace(steps(lengths * 2 / 1e6), rank=np.ones(len(lengths), dtype=np.int64)))
    order = list(range(2 * len(lengths)))
    rng.shuffle(order)
    mixed = Steps(**{each.name: getattr(its, each.name)[order] for each in fields(Steps)})
    assert window(mixed, 5).rate == window(its, 5).rate
    assert np.array_equal(slowest_rank(mixed), slowest_rank(its))


def test_mser_cuts_a_transient_and_leaves_a_steady_start_alone():
    noise = np.random.default_rng(3).normal(100, 1, 100)
    assert mser_cut(noise + np.where(np.arange(100) < 20, 40, 0)) == 20
    assert mser_cut(np.full(100, 7.0)) == 0


def test_mser_agrees_with_its_formula_written_out():
    values = np.random.default_rng(4).lognormal(0, 0.3, 103)
    batches = values[:100].reshape(20, 5).mean(axis=1)
    errors = [np.sum((batches[d:] - batches[d:].mean()) ** 2) / (20 - d) ** 2 for d in range(11)]
    assert mser_cut(values) == 5 * int(np.argmin(errors))


def test_mser_has_nothing_to_say_about_fewer_than_four_batches():
    assert mser_cut([100.0] * 5 + [1.0] * 14) == 0


@few
@given(step_lengths, st.integers(-10, 10))
def test_mser_does_not_depend_on_the_unit_of_time(lengths, power):
    cut = mser_cut(lengths)
    assert mser_cut(lengths * 2.0**power) == cut  # powers of two scale without rounding, so ties stay ties
    assert cut % 5 == 0
    assert cut <= len(lengths) / 2


def test_the_cut_is_the_largest_that_any_launch_of_the_row_needs():
    steady_one, slow_start = steps([100.0] * 60), steps([300.0] * 15 + [100.0] * 45)
    assert equal_cut([steady_one]) == 0
    assert equal_cut([steady_one, slow_start, steady_one]) == 15


def test_the_cut_is_found_on_the_slowest_rank():
    one_rank_starts_slowly = steps(np.array([[100.0] * 60, [300.0] * 10 + [100.0] * 50]), ranks=2)
    assert equal_cut([one_rank_starts_slowly]) == 10


def test_the_cut_leaves_half_of_the_shortest_window():
    short, slow_start = steps([100.0] * 24), steps([300.0] * 30 + [100.0] * 50)
    assert equal_cut([slow_start]) == 30
    assert equal_cut([short, slow_start]) == 12


def test_the_cut_of_no_launches_is_none():
    assert equal_cut([]) == 0
    assert equal_cut([steps(100, warmup=40)]) == 0


def test_a_cut_in_blocks_is_told_in_steps():
    assert equal_cut([steps([300.0] * 10 + [100.0] * 40, block=8)]) == 80


def test_drift_is_named_by_its_direction():
    noise = np.random.default_rng(5).normal(0, 0.5, 100)
    assert tail_drift(100 + noise + np.linspace(0, 8, 100)) == SLOWING
    assert tail_drift(100 + noise + np.linspace(8, 0, 100)) == WARMING
    assert tail_drift(100 + noise) is None


def test_a_drift_that_is_certain_but_tiny_is_no_drift():
    assert tail_drift(np.linspace(100, 100.8, 100)) is None
    assert tail_drift(np.linspace(100, 101.4, 100)) == SLOWING


def test_drift_needs_eighteen_steps():
    assert tail_drift(np.linspace(100, 200, 17)) is None
    assert tail_drift(np.linspace(100, 200, 18)) == SLOWING


def test_outliers_are_counted_and_stay_in_the_percentiles():
    lengths = np.random.default_rng(6).normal(100, 1, 200)
    lengths[[7, 90]] = 400
    seen = window(steps(lengths), 0)
    assert outliers(lengths) == seen.outliers == 2
    assert seen.step_ns.max() == pytest.approx(400e6)
    assert len(seen.step_ns) == 200


def test_percentiles_are_of_the_slowest_rank_over_all_launches():
    windows = [window(steps(np.array([[10.0], [each]]).repeat(40, axis=1), ranks=2), 0) for each in (20.0, 30.0)]
    found = step_time(windows)
    assert (found.p50, found.p95, found.p99) == pytest.approx((25, 30, 30))


def test_data_wait_is_a_share_of_all_ranks_time():
    its = steps(np.array([[100.0] * 40, [300.0] * 40]), ranks=2)
    its = replace(its, data_wait_ns=np.where(its.rank == 0, 40 * 10**6, 0))
    assert window(its, 0).data_wait == pytest.approx(0.1)
