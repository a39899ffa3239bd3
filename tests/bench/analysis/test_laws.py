"""Scaling laws: found where they can be told from noise, silent elsewhere, and never beyond what was measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from bench.analysis.laws import COUNTS, _parameters, fit
from bench.analysis.report import Law

ROUNDS = 6


def measured(counts, sigma, kappa=0.0, *, noise=0.0, rounds=ROUNDS):
    """Speedups by the law, with noise that each round shares."""
    dice = np.random.default_rng(7)
    return {
        float(n): {
            number: float(n / (1 + sigma * (n - 1) + kappa * n * (n - 1)) * np.exp(noise * dice.standard_normal()))
            for number in range(rounds)
        }
        for n in counts
    }


@given(sigma=st.floats(0, 0.3), kappa=st.floats(0, 0.02))
def test_a_law_without_noise_is_found_exactly(sigma, kappa):
    found = fit("ddp", "cuda", measured((2, 4, 8), sigma, kappa))
    assert isinstance(found, Law)
    assert found.parameters["sigma"].estimate == pytest.approx(sigma, abs=1e-6)
    assert found.parameters["kappa"].estimate == pytest.approx(kappa, abs=1e-6)


@given(st.lists(st.floats(0.05, 40), min_size=3, max_size=8))
def test_neither_share_is_negative_and_both_are_scipys(speedups):
    n, speedup = np.arange(2.0, 2 + len(speedups)), np.asarray(speedups)
    (sigma, kappa), _ = optimize.nnls(np.column_stack([n - 1, n * (n - 1)]), n / speedup - 1)
    assert _parameters(n, speedup) == (pytest.approx(sigma, abs=1e-9), pytest.approx(kappa, abs=1e-9))


def test_it_ends_where_the_measurements_end():
    found = fit("ddp", "cuda", measured((2, 4, 8), 0.05, noise=0.01))
    assert found.resources[0] == 1
    assert found.resources[-1] == 8
    assert all(low <= high for low, high in zip(found.low, found.high, strict=True))
    assert found.low[0] == found.high[0] == 1  # the baseline, by definition


def test_the_band_is_over_rounds_and_narrows_with_them():
    few = fit("ddp", "cuda", measured((2, 4, 8), 0.05, noise=0.02, rounds=4))
    many = fit("ddp", "cuda", measured((2, 4, 8), 0.05, noise=0.02, rounds=40))
    assert few.high[-1] - few.low[-1] > many.high[-1] - many.low[-1] > 0
    assert many.parameters["sigma"].n == 40


@pytest.mark.parametrize("counts", [(), (2,), (2, 4)])
def test_too_few_counts_give_a_reason_and_no_law(counts):
    found = fit("ddp", "cpu", measured(counts, 0.05))
    told = f"{len(counts) + 1} count{'s' * bool(counts)} of resources"
    assert found == f"{told} cannot tell a law's parameters from noise; {COUNTS} can"


def test_two_rounds_give_a_reason_and_no_law():
    assert fit("ddp", "cpu", measured((2, 4, 8), 0.05, rounds=2)) == "2 complete rounds give no interval; three do"


def test_a_speedup_above_ideal_is_no_negative_share():
    found = fit("ddp", "cuda", {n: dict.fromkeys(range(6), 1.1 * n) for n in (2.0, 4.0, 8.0)})
    assert found.parameters["sigma"].estimate == found.parameters["kappa"].estimate == 0
    assert found.name == "Amdahl's law"
