"""How often is a verdict wrong, and how often is a real difference named?"""

import math
from collections import Counter

import numpy as np
import pytest

from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER
from bench.analysis.statistics.verdicts import min_detectable_effect, rounds_needed, verdict

pytestmark = pytest.mark.statistics

MARGIN = 0.02
NOISE = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "heavy tails (t, 3 degrees)": lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3),
    "skewed (exponential)": lambda rng, shape: rng.exponential(1, shape) - 1,
}


def differences(rng, studies, rounds, cv, *, ratio=1.0, noise="normal"):
    """Paired log ratios of two arms whose launches both vary by `cv`."""
    draw = NOISE[noise]
    return math.log(ratio) + cv * (draw(rng, (studies, rounds)) - draw(rng, (studies, rounds)))


def words(logs, rounds_required=6):
    return Counter(verdict(each, MARGIN, rounds_required).word for each in logs.tolist())


def within_simulation_error(rate, limit, studies):
    """At most the limit, allowing three standard errors of the simulation itself."""
    return rate <= limit + 3 * math.sqrt(limit * (1 - limit) / studies)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("cv", [0.01, 0.05])
@pytest.mark.parametrize("rounds", [6, 10])
def test_equal_configurations_are_seldom_called_faster_or_slower(rounds, cv, noise, noted):
    studies = 4000
    found = words(differences(np.random.default_rng(rounds), studies, rounds, cv, noise=noise))
    name = f"false FASTER or SLOWER: A/A, {rounds} rounds, CV {cv:.1%}, {noise}"
    assert noted(name, found[FASTER] + found[SLOWER], studies) <= 0.05


@pytest.mark.parametrize("ratio", [1 + MARGIN, 1 / (1 + MARGIN)])
@pytest.mark.parametrize("rounds", [6, 10])
def test_a_difference_as_large_as_the_margin_is_seldom_called_equivalent(rounds, ratio, noted, monkeypatch):
    # The exact test is asked only after EQUIVALENT has been refused, and takes nearly all of the time.
    monkeypatch.setattr("bench.analysis.statistics.verdicts.sign_flip", lambda differences: 0.0)
    # The test has size 5 % exactly when the other side of the margin is far away, so the rate lies at the limit.
    studies = 20_000
    found = words(differences(np.random.default_rng(rounds), studies, rounds, 0.01, ratio=ratio))
    name = f"false EQUIVALENT: ratio {ratio:.4f}, {rounds} rounds, CV 1.0%"
    assert within_simulation_error(noted(name, found[EQUIVALENT], studies), 0.05, studies)


def test_three_rounds_never_get_a_verdict_though_it_would_keep_its_promise(noted):
    studies = 10_000
    logs = differences(np.random.default_rng(3), studies, 3, 0.01)
    assert words(logs) == Counter({INCONCLUSIVE: studies})
    found = words(logs, rounds_required=3)
    name = "false FASTER or SLOWER, were 3 rounds enough: A/A, CV 1.0%"
    assert within_simulation_error(noted(name, found[FASTER] + found[SLOWER], studies), 0.05, studies)
    slower = words(differences(np.random.default_rng(4), 1000, 3, 0.01, ratio=0.97), rounds_required=3)
    assert noted("power, were 3 rounds enough: 3 % slower, CV 1.0%", slower[SLOWER], 1000) < 0.8


def test_a_slowdown_of_a_tenth_at_one_percent_noise_is_named(noted):
    studies = 2000
    found = words(differences(np.random.default_rng(5), studies, 6, 0.01, ratio=0.9))
    assert noted("power: 10 % slower, 6 rounds, CV 1.0%", found[SLOWER], studies) >= 0.95
    assert found[FASTER] == 0


def test_equal_configurations_on_a_quiet_machine_are_called_equivalent(noted):
    studies = 2000
    found = words(differences(np.random.default_rng(6), studies, 10, 0.01))
    assert noted("power: equal is EQUIVALENT, 10 rounds, CV 1.0%", found[EQUIVALENT], studies) >= 0.9


@pytest.mark.parametrize(("rounds", "lowest"), [(6, 0.75), (7, 0.71), (8, 0.73), (10, 0.75), (20, 0.75)])
def test_what_is_said_to_be_detectable_is_detected_four_times_in_five(rounds, lowest, noted):
    studies, spread = 1500, 0.05
    logs = min_detectable_effect(rounds) * spread + np.random.default_rng(rounds).normal(0, spread, (studies, rounds))
    power = noted(f"power: at the difference said to be detectable, {rounds} rounds", words(logs)[FASTER], studies)
    assert lowest <= power <= 0.84


def test_the_rounds_said_to_be_needed_are_enough(noted):
    studies, spread = 1500, 0.02
    needed = rounds_needed(spread, MARGIN)
    assert 8 <= needed <= 14
    logs = math.log1p(MARGIN) + np.random.default_rng(7).normal(0, spread, (studies, needed))
    assert (
        noted(f"power: at the margin, with the {needed} rounds said to be needed", words(logs)[FASTER], studies) >= 0.75
    )
