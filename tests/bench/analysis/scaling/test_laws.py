"""Scaling laws: found where they can be told from noise, silent elsewhere, and never beyond what was measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.result import Law
from bench.analysis.scaling.findings import analyse
from bench.analysis.scaling.laws import AMDAHL, COUNTS, GUNTHER, Group, fit
from tests.bench.analysis.analysis_fakes import DDP2, DDP4, SINGLE, changed, configuration, study

ROUNDS = 6
DDP = Group(strategy="ddp", device="cpu", cores_per_rank=1)


def truth(n, sigma, kappa=0.0):
    return n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def measured(counts, sigma, kappa=0.0, *, noise=0.0, rounds=ROUNDS, seed=7):
    """Speedups by the law; the noise of the baseline is common to a round."""
    rng = np.random.default_rng(seed)
    base = noise * rng.standard_normal(rounds)
    return {
        float(n): {
            number: float(truth(n, sigma, kappa) * np.exp(noise * rng.standard_normal() - base[number]))
            for number in range(rounds)
        }
        for n in counts
    }


@given(sigma=st.floats(0.001, 0.3), kappa=st.floats(0.0001, 0.02))
def test_a_law_without_noise_is_found_exactly(sigma, kappa):
    found = fit(DDP, measured((2, 4, 8), sigma, kappa))
    assert isinstance(found, Law)
    assert found.name == GUNTHER
    assert found.parameters["sigma"].estimate == pytest.approx(sigma, abs=1e-6)
    assert found.parameters["kappa"].estimate == pytest.approx(kappa, abs=1e-6)
    assert found.high[-1] == pytest.approx(truth(8, sigma, kappa))


@given(sigma=st.floats(0.001, 0.3))
def test_where_nothing_is_exchanged_the_law_is_amdahls_and_has_one_parameter(sigma):
    found = fit(DDP, measured((2, 3, 4), sigma))
    assert found.name == AMDAHL
    assert set(found.parameters) == {"sigma"}
    assert found.parameters["sigma"].estimate == pytest.approx(sigma, abs=1e-6)


def test_an_exchange_alone_has_no_negative_share_of_waiting_beside_it():
    found = [fit(DDP, measured((2, 4, 8), 0.0, 0.02, noise=0.01, seed=seed)) for seed in range(20)]
    assert all(each.name == GUNTHER for each in found)
    assert all(each.parameters["kappa"].low > 0 for each in found)
    assert all(each.parameters["sigma"].estimate >= 0 for each in found if "sigma" in each.parameters)
    assert any("sigma" not in each.parameters for each in found)


@pytest.mark.parametrize("noise", [0.01, 0.03])
@pytest.mark.parametrize(
    ("sigma", "kappa", "counts"),
    [(0.1, 0.0, (2, 3, 4)), (0.1, 0.0, (2, 4, 8)), (0.05, 0.01, (2, 4, 8)), (0.05, 0.003, (2, 4, 8))],
)
def test_the_envelope_covers_the_truth_as_often_as_it_says(sigma, kappa, counts, noise):
    """Also where the choice between the laws can go wrong: an exchange too small to be seen in this noise."""
    found = [fit(DDP, measured(counts, sigma, kappa, noise=noise, seed=seed)) for seed in range(200)]
    laws = [each for each in found if isinstance(each, Law)]
    assert len(laws) > 180
    for place in (-1, 16, 8):
        inside = [law.low[place] <= truth(law.resources[place], sigma, kappa) <= law.high[place] for law in laws]
        assert np.mean(inside) > 0.90  # 95 % are promised; 200 studies tell it to 3 points


def test_the_interval_of_amdahls_share_covers_it():
    found = [fit(DDP, measured((2, 3, 4), 0.1, noise=0.02, seed=seed)) for seed in range(200)]
    shares = [law.parameters["sigma"] for law in found if isinstance(law, Law) and law.name == AMDAHL]
    assert len(shares) > 170
    assert np.mean([share.low <= 0.1 <= share.high for share in shares]) > 0.90


def test_noise_around_an_ideal_speedup_is_called_no_law():
    """Least squares held above nothing made a law of each of these."""
    found = [fit(DDP, measured((2, 3, 4), 0.0, noise=0.02, seed=seed)) for seed in range(200)]
    assert np.mean([isinstance(each, Law) for each in found]) < 0.06
    assert "what is lost up to 4 times the resources cannot be told from none" in found


def test_a_loss_within_much_noise_is_called_no_law():
    found = [fit(DDP, measured((2, 3, 4), 0.01, noise=0.1, rounds=3, seed=seed)) for seed in range(200)]
    assert np.mean([isinstance(each, Law) for each in found]) < 0.15


def test_a_speedup_above_ideal_is_no_law():
    found = fit(DDP, {n: dict.fromkeys(range(6), 1.1 * n) for n in (2.0, 4.0, 8.0)})
    assert found == "at 2 times the resources the speedup is 10% above either law"


def test_speedups_that_follow_neither_law_are_called_no_law():
    """Four cores of which each two share what they compute with: ideal to two, and nothing more from there on."""
    flat = {2.0: 2.0, 3.0: 2.0, 4.0: 2.0}
    rng = np.random.default_rng(3)
    ratios = {n: {k: s * float(np.exp(0.01 * rng.standard_normal())) for k in range(6)} for n, s in flat.items()}
    found = fit(DDP, ratios)
    assert isinstance(found, str)
    assert found.startswith("at 2 times the resources the speedup is ")
    assert found.endswith("above either law")


def test_rounds_too_wild_for_a_curve_give_a_reason_and_no_law():
    ratios = {2.0: {0: 40.0, 1: 0.1, 2: 2.0}, 3.0: {0: 0.2, 1: 90.0, 2: 3.0}, 4.0: {0: 60.0, 1: 0.1, 2: 0.5}}
    assert isinstance(fit(DDP, ratios), str)


def test_it_ends_where_the_measurements_end():
    found = fit(DDP, measured((2, 4, 8), 0.05, noise=0.01))
    assert found.resources[0] == 1
    assert found.resources[-1] == 8
    assert all(low <= high for low, high in zip(found.low, found.high, strict=True))
    assert found.low[0] == found.high[0] == 1  # the baseline, by definition


def test_the_band_is_over_rounds_and_narrows_with_them():
    few = fit(DDP, measured((2, 4, 8), 0.05, noise=0.02, rounds=4))
    many = fit(DDP, measured((2, 4, 8), 0.05, noise=0.02, rounds=40))
    assert few.high[-1] - few.low[-1] > many.high[-1] - many.low[-1] > 0
    assert many.parameters["sigma"].n == 40


@pytest.mark.parametrize("counts", [(), (2,), (2, 4)])
def test_too_few_counts_give_a_reason_and_no_law(counts):
    found = fit(DDP, measured(counts, 0.05))
    facts = f"{len(counts) + 1} count{'s' * bool(counts)} of resources"
    assert found == f"{facts} cannot tell a law's parameters from noise; {COUNTS} can"


def test_two_rounds_give_a_reason_and_no_law():
    assert fit(DDP, measured((2, 4, 8), 0.05, rounds=2)) == "2 rounds with every count give no interval; three do"


def test_only_rounds_that_have_every_count_are_fitted():
    ratios = measured((2, 4, 8), 0.05, noise=0.01)
    del ratios[4.0][1], ratios[8.0][3]
    assert fit(DDP, ratios).parameters["sigma"].n == 4


def rates(sigma, *rows, rounds=ROUNDS, noise=0.01):
    rng = np.random.default_rng(1)
    return {
        row: [
            100 * truth(row.ranks * row.cores_per_rank, sigma) * float(np.exp(noise * rng.standard_normal()))
            for _ in range(rounds)
        ]
        for row in (SINGLE, *rows)
    }


def test_a_study_of_four_counts_has_the_law_that_made_it():
    found = analyse(*study(rates(0.1, DDP2, configuration("ddp", 3), DDP4)), [])
    (law,) = found.laws
    assert (law.name, law.strategy, law.device, law.cores_per_rank) == (AMDAHL, "ddp", "cpu", 1)
    assert law.parameters["sigma"].low < 0.1 < law.parameters["sigma"].high
    assert found.no_law == ""


def test_why_another_strategy_has_none_is_not_said_beside_a_law():
    """A page once said "No scaling law is fitted" under one."""
    whole = configuration(cores=4)
    found = analyse(*study(rates(0.1, whole, DDP2, configuration("ddp", 3), DDP4)), [])
    assert len(found.laws) == 1
    assert found.no_law == ""


def test_ranks_of_several_cores_are_no_count_of_the_law_of_ranks_of_one():
    """4 ranks of one core and 2 ranks of two are both four times the baseline; one used to take the other's place."""
    slow = configuration("ddp", 2, cores=2)
    facts = rates(0.1, DDP2, configuration("ddp", 3), DDP4)
    found = analyse(*study({**facts, slow: [each * 0.5 for each in facts[DDP4]]}), [])
    (law,) = found.laws
    assert law.parameters["sigma"].low < 0.1 < law.parameters["sigma"].high


def test_an_invalid_row_has_no_part_in_a_law():
    plan, launches, steps = study(rates(0.1, DDP2, configuration("ddp", 3), DDP4))
    found = analyse(plan, changed(launches, DDP4, closure_error=0.2), steps, [])
    assert found.laws == ()
    assert (
        found.no_law
        == "3 counts of resources cannot tell a law's parameters from noise; 4 can (ddp on cpu with 1 core)"
    )


def test_without_a_sound_baseline_there_is_no_law_and_the_reason_is_the_baseline():
    facts = rates(0.1, DDP2, configuration("ddp", 3), DDP4)
    found = analyse(*study({**facts, SINGLE: [None] * ROUNDS}), [])
    assert found.laws == ()
    assert found.no_law == "there is no sound baseline to count resources against"


def test_ranks_that_shared_cores_are_no_counts_of_resources():
    """Four ranks on two cores are four times nothing that there is."""
    plan, launches, steps = study(rates(0.1, DDP2, configuration("ddp", 3), DDP4), oversubscribed=True)
    found = analyse(plan, launches, steps, [])
    assert found.laws == ()
    assert found.no_law == "ranks shared cores, so their counts are no counts of resources"
