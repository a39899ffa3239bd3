"""A share with its interval: on the numbers themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.statistics.intervals import share_estimate


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_an_estimate_of_shares_is_their_mean_within_its_interval(values):
    found = share_estimate(values, "m")
    assert found.n == len(values)
    assert found.estimate == pytest.approx(float(np.mean(values)), abs=1e-9)
    if found.low is not None:
        assert found.low - 1e-9 <= found.estimate <= found.high + 1e-9
    else:
        assert len(values) < 3


@given(st.floats(0, 1), st.integers(1, 12))
def test_launches_that_learned_the_same_have_that_number_and_no_spread(value, count):
    found = share_estimate([value] * count, "m")
    assert (found.estimate, found.low, found.high) == (value, value, value)


def test_the_interval_of_a_share_is_the_t_interval():
    found = share_estimate([0.90, 0.92, 0.94], "m")
    half = 4.302653 * 0.02 / math.sqrt(3)  # t of two degrees of freedom at 97.5 %
    assert (found.low, found.high) == pytest.approx((0.92 - half, 0.92 + half), abs=1e-6)
