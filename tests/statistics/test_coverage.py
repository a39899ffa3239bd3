"""Do 95 % intervals hold the truth 95 times in 100, and does the naive one fail where we say it does?"""

import numpy as np
import pytest
from scipy import stats

from bench.analysis.statistics.intervals import rate_interval, ratio_interval, welch_ratio
from bench.analysis.statistics.steady import launch_rate
from tests.statistics.simulated import BATCH, STEP_NS, ar1, steps_of

pytestmark = pytest.mark.statistics

ROUNDS = (3, 6, 10)
LAUNCH_SD, ROUND_SD, STEP_SD = 0.01, 0.03, 0.02
LOWEST, HIGHEST = 0.94, 0.965
RATIO = 1.9


def holds(interval, truth):
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("rounds", ROUNDS)
def test_rate_intervals_cover_the_true_rate(rounds, noted):
    rng, studies = np.random.default_rng(rounds), 10_000
    rates = 1000 * np.exp(rng.normal(0, LAUNCH_SD, (studies, rounds)))
    hits = sum(holds(rate_interval(each), 1000) for each in rates.tolist())
    assert LOWEST <= noted(f"coverage: rate, {rounds} launches", hits, studies) <= HIGHEST


@pytest.mark.parametrize("rounds", ROUNDS)
def test_paired_ratio_intervals_cover_the_true_ratio_while_the_machine_drifts(rounds, noted):
    rng, studies = np.random.default_rng(10 + rounds), 10_000
    machine = rng.normal(0, ROUND_SD, (studies, rounds)) - np.linspace(0, 0.1, rounds)
    row = RATIO * np.exp(machine + rng.normal(0, LAUNCH_SD, (studies, rounds)))
    base = np.exp(machine + rng.normal(0, LAUNCH_SD, (studies, rounds)))
    pairs = zip(row.tolist(), base.tolist(), strict=True)
    hits = sum(holds(ratio_interval(dict(enumerate(a)), dict(enumerate(b))), RATIO) for a, b in pairs)
    assert LOWEST <= noted(f"coverage: paired ratio, {rounds} drifting rounds", hits, studies) <= HIGHEST


@pytest.mark.parametrize(("a", "b"), [(3, 3), (6, 6), (5, 10)])
def test_welch_intervals_cover_the_true_ratio_of_unequally_noisy_machines(a, b, noted):
    rng, studies = np.random.default_rng(100 * a + b), 10_000
    row = RATIO * np.exp(rng.normal(0, LAUNCH_SD, (studies, a)))
    base = np.exp(rng.normal(0, 2 * LAUNCH_SD, (studies, b)))
    hits = sum(holds(welch_ratio(x, y), RATIO) for x, y in zip(row.tolist(), base.tolist(), strict=True))
    # Welch at 3 against 3 is an approximation and errs to the wide side.
    assert LOWEST <= noted(f"coverage: unpaired ratio, {a} against {b} launches", hits, studies) <= HIGHEST + 0.01


@pytest.fixture(scope="module", params=[0.5, 0.8], ids=lambda phi: f"phi{phi}")
def studies(request):
    """6000 studies of ten rounds and two arms (one and two ranks), from steps through `launch_rate`."""
    phi, count, rounds = request.param, 6000, max(ROUNDS)
    rng = np.random.default_rng(int(10 * phi))
    machine = rng.normal(0, ROUND_SD, (count, rounds, 1))
    rates, steps = [], []
    for ranks in (1, 2):
        launch = machine + rng.normal(0, LAUNCH_SD, (count, rounds, 1))
        slowest = STEP_NS * np.exp(launch + ar1(rng, (count, rounds, 50), phi, STEP_SD))
        steps.append(slowest)
        lengths = np.broadcast_to(slowest[:, :, None, :], (count, rounds, ranks, 50))
        rates.append([[launch_rate(steps_of(each), cut=0).throughput_sps for each in study] for study in lengths])
    return phi, rates, steps


@pytest.mark.parametrize("rounds", ROUNDS)
def test_rate_intervals_cover_through_autocorrelated_steps(rounds, studies, noted):
    phi, (single, _), _ = studies
    truth = BATCH / STEP_NS * 1e9
    hits = sum(holds(rate_interval(rates[:rounds]), truth) for rates in single)
    assert LOWEST <= noted(f"coverage: rate, {rounds} launches of AR(1) steps, phi {phi}", hits, len(single)) <= HIGHEST


@pytest.mark.parametrize("rounds", ROUNDS)
def test_paired_ratio_intervals_cover_through_autocorrelated_steps(rounds, studies, noted):
    phi, (single, double), _ = studies
    hits = sum(
        holds(ratio_interval(dict(enumerate(row[:rounds])), dict(enumerate(base[:rounds]))), 2)
        for row, base in zip(double, single, strict=True)
    )
    name = f"coverage: paired ratio, {rounds} rounds of AR(1) steps, phi {phi}"
    assert LOWEST <= noted(name, hits, len(single)) <= HIGHEST


@pytest.mark.parametrize("rounds", ROUNDS)
def test_an_interval_over_pooled_steps_does_not_cover(rounds, studies, noted):
    """Why the launch is the unit: the same data, with its steps taken for independent."""
    phi, _, (single, double) = studies
    a, b = (np.log(arm[:, :rounds]).reshape(len(arm), -1) for arm in (single, double))
    low, high = stats.ttest_ind(a, b, axis=1).confidence_interval(0.95)
    hits = int(np.count_nonzero((low <= 0) & (high >= 0)))
    assert noted(f"coverage: naive, steps of {rounds} rounds pooled, phi {phi}", hits, len(a)) < 0.7
