"""Distances: what their definition promises, whatever the numbers."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from bench.analysis.repro import distance
from tests.bench.analysis.repro.capsule_fakes import a_run, fact

NUMBERS = some.floats(-1e3, 1e3, width=32)
PAIRS = some.integers(1, 20).flatmap(lambda n: some.tuples(*[arrays(np.float32, n, elements=NUMBERS)] * 2))


def ulp(a, b) -> float:
    return distance.scaled_ulp(a, b, float(max(np.abs(a).max(), np.abs(b).max())))


@given(PAIRS)
def test_the_distance_is_symmetric_and_zero_only_between_equals(pair):
    a, b = pair
    assume(max(np.abs(a).max(), np.abs(b).max()) > 0)
    assert ulp(a, b) == ulp(b, a) >= 0
    assert (ulp(a, b) == 0) == bool(np.array_equal(a, b))


@given(PAIRS, some.integers(-10, 10))
def test_the_distance_does_not_depend_on_the_unit(pair, power):
    a, b = pair
    assume(max(np.abs(a).max(), np.abs(b).max()) > 1e-3)
    scale = np.float32(2.0**power)
    assume(np.array_equal((a * scale) / scale, a))
    assume(np.array_equal((b * scale) / scale, b))
    assert math.isclose(ulp(a * scale, b * scale), ulp(a, b), rel_tol=1e-9)


@given(some.floats(1, 1.875, width=32))
def test_neighbouring_numbers_are_about_one_apart(value):
    a = np.array([value], np.float32)
    assert 0.5 <= ulp(a, np.nextafter(a, np.float32(4))) <= 1


def test_a_small_rest_of_large_numbers_is_judged_by_the_large_ones():
    a, b = np.float32([1000.0, 1e-7]), np.float32([1000.0, 3e-7])
    assert ulp(a, b) < 0.01


def test_there_is_no_distance_to_what_is_not_finite_or_no_number():
    whole = fact("indices", 0, "samples", [1, 2], floats=False)
    assert distance.of_facts(whole, fact("indices", 0, "samples", [1, 3], floats=False)) == math.inf
    assert distance.scaled_ulp(np.float32([np.nan]), np.float32([1.0]), 1.0) == math.inf


def test_equal_hashes_are_no_distance_even_of_what_is_not_finite():
    broken = fact("forward", 0, "0", [np.nan])
    assert distance.of_facts(broken, broken) == 0


def test_the_weights_distance_is_the_share_that_they_moved():
    found = distance.weight_curve(a_run(), a_run(weights=1e-3))
    assert found == {step: pytest.approx(1e-3, rel=1e-3) for step in (1, 2, 4, 8)}


def test_a_tensor_counts_by_its_size_not_by_how_much_of_it_was_kept():
    from dataclasses import replace

    def run(move):
        large = replace(fact("weights", 1, "large", np.ones(4) * (1 + move)), count=4_000_000)
        return replace(a_run(), facts=(large, fact("weights", 1, "small", np.full(4, 100.0))))

    assert distance.weight_curve(run(0), run(0.01))[1] == pytest.approx(0.01, rel=0.01)


def test_the_loss_curve_is_relative_and_knows_what_is_not_finite():
    from dataclasses import replace

    a = replace(a_run(), losses=tuple(x.hex() for x in (2.0, math.nan, 1.0, 0.0)))
    b = replace(a_run(), losses=tuple(x.hex() for x in (2.2, math.nan, math.nan, 0.0)))
    assert distance.loss_curve(a, b) == [pytest.approx(0.1), 0.0, math.inf, 0.0]
