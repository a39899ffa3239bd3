"""Verdicts on launches that share no rounds: Welch's interval, an exact second opinion, and a calibrated floor."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER
from bench.analysis.statistics import unpaired
from bench.analysis.statistics.unpaired import Arm, Noise, detectable_ratio, launches_needed, verdict


def arm(mean, spread, n=6, seed=0, noise=None):
    """Launches whose logs have exactly this mean and standard deviation."""
    logs = np.random.default_rng(seed).normal(0, 1, n)
    logs = mean + spread * (logs - logs.mean()) / logs.std(ddof=1)
    return Arm(logs.tolist(), noise)


def known(spread):
    return Noise(spread=spread, pair_spread=1.41 * spread, dof=23, pair_dof=12, source="aa")


def test_the_word_is_scipys_welch_interval_with_a_name():
    a, b = arm(0, 0.01), arm(0.03, 0.02, n=9, seed=1)
    interval = stats.ttest_ind(b.logs, a.logs, equal_var=False).confidence_interval()
    found = verdict(a, b, 0.01)
    assert found.word == FASTER
    assert f"{math.exp(interval.low):.4g} to {math.exp(interval.high):.4g}" in found.reasons[0]


def test_two_sides_that_never_vary_are_judged_by_what_they_say():
    still = [0.0] * 6
    assert verdict(Arm(still), Arm(still), 0.02).word == EQUIVALENT
    assert verdict(Arm(still), Arm([0.1] * 6), 0.02).word == FASTER


def test_an_interval_that_excludes_one_needs_the_exact_tests_agreement():
    a, b = [0.0, 0.0, 0.0, 0.0, 0.0], [0.005, 0.05, 0.05, 0.05, 0.05]
    exact = stats.permutation_test((a, b), lambda x, y: np.mean(x) - np.mean(y), n_resamples=np.inf).pvalue
    assert exact < 0.05
    assert verdict(Arm(a), Arm(b), 0.02).word == FASTER
    one_far_launch = Arm([-1.2, 0.01, 0.012, 0.011, 0.013, 0.009]), Arm([0.0, 0.001, -0.001, 0.002, -0.002, 0.0])
    assert verdict(*one_far_launch, 0.005).word == INCONCLUSIVE


def test_the_exact_test_can_overrule_the_interval(monkeypatch):
    monkeypatch.setattr(unpaired, "_exact", lambda *_: 0.2)
    found = verdict(arm(0, 0.01), arm(-0.05, 0.01, seed=1), 0.02)
    assert found.word == INCONCLUSIVE
    assert "permutation test does not agree (p = 0.2)" in found.reasons[0]


@pytest.mark.parametrize(("n", "expected"), [(1, INCONCLUSIVE), (4, INCONCLUSIVE), (5, SLOWER)])
def test_five_launches_are_the_fewest(n, expected):
    a, b = (arm(0, 0.01, n), arm(-0.2, 0.01, n, seed=1)) if n > 1 else (Arm([0.0]), Arm([-0.2]))
    found = verdict(a, b, 0.02)
    assert found.word == expected
    assert (found.detectable is None) == (n == 1)


def test_a_margin_must_be_positive():
    with pytest.raises(ValueError, match="margin"):
        verdict(arm(0, 0.01), arm(0, 0.01), 0.0)


def test_a_known_spread_turns_equivalent_into_doubt_too():
    a, b = arm(0, 0.001), arm(0.001, 0.001, seed=1)
    assert verdict(a, b, 0.02).word == EQUIVALENT
    noise = known(0.04)
    assert verdict(Arm(a.logs, noise), Arm(b.logs, noise), 0.02).word == INCONCLUSIVE


def test_one_calibrated_side_is_enough_to_soften():
    a, b = arm(0, 0.001), arm(-0.03, 0.001, seed=1)
    assert verdict(a, b, 0.01).word == SLOWER
    assert verdict(a, Arm(b.logs, known(0.05)), 0.01).word == INCONCLUSIVE


def test_more_launches_see_less_and_the_number_needed_sees_the_margin():
    assert detectable_ratio(0.01, 3) > detectable_ratio(0.01, 6) > detectable_ratio(0.01, 10) > 1
    for spread in (0.005, 0.01, 0.03):
        needed = launches_needed(math.sqrt(2) * spread, 0.02)
        assert detectable_ratio(spread, needed) <= 1.02
        assert needed == 5 or detectable_ratio(spread, needed - 1) > 1.02
