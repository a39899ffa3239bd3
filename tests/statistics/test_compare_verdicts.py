"""How often does `bench compare` see a difference that is not there, and how often does it name one that is?

Unpaired verdicts: launches of two studies share no rounds. A/A is two studies of one machine, one session each.
"""

import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from bench.analysis.comparing import machines
from bench.analysis.comparing.machines import could_name, outliers
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER
from bench.analysis.statistics.unpaired import Arm, Noise, detectable_ratio, launches_needed, verdict

pytestmark = pytest.mark.statistics

MARGIN = 0.02
STUDIES = 4000
NOISE = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "heavy tails (t, 3 degrees)": lambda rng, shape: rng.standard_t(3, shape) / math.sqrt(3),
    "skewed (exponential)": lambda rng, shape: rng.exponential(1, shape) - 1,
}


def words(a, b, *, noise=None):
    return Counter(
        verdict(Arm(x, noise), Arm(y, noise), MARGIN).word for x, y in zip(a.tolist(), b.tolist(), strict=True)
    )


def arms(seed, n, cv, *, studies=STUDIES, ratio=1.0, noise="normal"):
    rng, draw = np.random.default_rng(seed), NOISE[noise]
    return cv * draw(rng, (studies, n)), math.log(ratio) + cv * draw(rng, (studies, n))


def within_simulation_error(rate, limit, studies):
    """At most the limit, allowing three standard errors of the simulation itself."""
    return rate <= limit + 3 * math.sqrt(limit * (1 - limit) / studies)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("cv", [0.01, 0.05])
@pytest.mark.parametrize("n", [3, 6, 10])
def test_equal_studies_are_seldom_called_faster_or_slower_and_as_often_one_as_the_other(n, cv, noise, noted):
    found = words(*arms(n, n, cv, noise=noise))
    name = f"compare, false FASTER or SLOWER: A/A, {n} launches a side, CV {cv:.0%}, {noise}"
    alarms = found[FASTER] + found[SLOWER]
    assert within_simulation_error(noted(name, alarms, STUDIES), 0.05, STUDIES)
    noted(f"compare, EQUIVALENT: A/A, {n} launches a side, CV {cv:.0%}, {noise}", found[EQUIVALENT], STUDIES)
    if n == 3:
        assert found == {INCONCLUSIVE: STUDIES}
    else:
        assert stats.binomtest(found[FASTER], alarms).pvalue > 0.001


@pytest.mark.parametrize("n", [5, 6, 10])
def test_a_planted_slowdown_of_a_tenth_at_one_percent_noise_is_named(n, noted):
    found = words(*arms(20 + n, n, 0.01, studies=1000, ratio=0.9))
    assert noted(f"compare, power: 10 % slower, {n} launches a side, CV 1%", found[SLOWER], 1000) >= 0.95
    assert found[FASTER] == 0


@pytest.mark.parametrize("ratio", [1 + MARGIN, 1 / (1 + MARGIN)])
def test_a_difference_as_large_as_the_margin_is_seldom_called_equivalent(ratio, noted, monkeypatch):
    monkeypatch.setattr(
        "bench.analysis.statistics.unpaired._exact", lambda *_: None
    )  # asked only after EQUIVALENT was refused
    found = words(*arms(31, 6, 0.01, studies=10_000, ratio=ratio))
    name = f"compare, false EQUIVALENT: ratio {ratio:.4f}, 6 launches a side, CV 1%"
    assert within_simulation_error(noted(name, found[EQUIVALENT], 10_000), 0.05, 10_000)


def calibrated(spread, launches=24):
    return Noise(
        spread=spread,
        pair_spread=math.sqrt(2) * spread,
        dof=launches - 1,
        pair_dof=launches / 2,
        source="simulated",
    )


def test_a_calibration_makes_false_alarms_rarer_and_leaves_the_planted_slowdown_named(noted):
    noise = calibrated(0.01)
    found = words(*arms(41, 6, 0.01), noise=noise)
    alarms = found[FASTER] + found[SLOWER]
    assert noted("compare, false FASTER or SLOWER: A/A, 6 launches a side, CV 1%, calibrated", alarms, STUDIES) < 0.03
    slow = words(*arms(42, 6, 0.01, studies=1000, ratio=0.9), noise=noise)
    assert noted("compare, power: 10 % slower, 6 launches a side, CV 1%, calibrated", slow[SLOWER], 1000) >= 0.95


def test_what_is_said_to_be_detectable_is_detected_four_times_in_five(noted):
    for n in (6, 10):
        found = words(*arms(50 + n, n, 0.05, studies=1500, ratio=detectable_ratio(0.05, n)))
        power = noted(f"compare, power: at the ratio said to be detectable, {n} launches a side", found[FASTER], 1500)
        assert 0.75 <= power <= 0.84


def test_the_launches_said_to_be_needed_are_enough(noted):
    needed = launches_needed(math.sqrt(2) * 0.02, MARGIN)
    assert 14 <= needed <= 20
    found = words(*arms(60, needed, 0.02, studies=1500, ratio=1 + MARGIN))
    assert (
        noted(f"compare, power: at the margin, with the {needed} launches said to be needed", found[FASTER], 1500)
        > 0.75
    )


def test_a_difference_between_sessions_is_not_told_from_one_between_studies(noted):
    """The limit that every comparison over time states in its notes: launches of one session share its luck."""
    a, b = arms(70, 6, 0.01, studies=1000)
    rng = np.random.default_rng(71)
    found = words(a + rng.normal(0, 0.01, (1000, 1)), b + rng.normal(0, 0.01, (1000, 1)))
    name = "compare, called FASTER or SLOWER: A/A, sessions differ as much as launches, 6 a side, CV 1%"
    assert noted(name, found[FASTER] + found[SLOWER], 1000) > 0.2


@pytest.mark.parametrize("machines", [5, 8, 10, 20, 39])
def test_among_equal_machines_somebody_stands_out_about_once_in_twenty(machines, noted):
    """The limits are exact for many machines; with few they let through a little more. The margin comes on top."""
    studies = 4000
    values = np.random.default_rng(machines).normal(0, 0.001, (studies, machines))
    found = sum(bool(outliers(each)) for each in values.tolist())
    assert noted(f"machines, somebody picked among {machines} equal ones", found, studies) <= 0.085


def test_the_slow_node_of_the_replayed_public_list_is_always_picked(noted):
    """Lambda's one-GPU H100 list by its published figures: 39 nodes, CV 0.114 %, one at -3.8 %."""
    studies = 1000
    values = np.random.default_rng(39).normal(0, 0.00114, (studies, 39))
    values[:, 17] -= 0.038
    picked = [outliers(each) for each in values.tolist()]
    assert noted("machines, the slow one of 39 picked", sum(17 in each for each in picked), studies) == 1
    beyond = [
        {place for place in each if abs(math.expm1(values[row, place])) > MARGIN} for row, each in enumerate(picked)
    ]
    assert noted("machines, the slow one of 39 and no other named beyond the margin", beyond.count({17}), studies) == 1


@pytest.mark.parametrize("machines", [5, 6, 8, 12, 20])
def test_the_outlier_said_to_be_named_is_named_four_times_in_five(machines, noted):
    studies, spread = 2000, 0.01
    values = np.random.default_rng(machines).normal(0, spread, (studies, machines))
    values[:, 0] -= math.log(could_name(spread, machines, 1e-9))
    found = sum(0 in outliers(each) for each in values.tolist())
    power = noted(f"machines, power: at the ratio said to be named, {machines} machines", found, studies)
    assert 0.76 <= power <= 0.84


def fleet(values):
    found = machines.over_the_others(values)
    return [each.word for each in machines.machine_verdicts(found, [()] * len(found), MARGIN)]


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize(("machines", "launches"), [(3, 6), (5, 3), (5, 6), (12, 3), (20, 6)])
def test_among_equal_machines_one_is_seldom_shown_to_differ(machines, launches, noise, noted):
    studies = 1000
    values = 0.05 * NOISE[noise](np.random.default_rng(machines), (studies, machines, launches))
    found = sum(bool({FASTER, SLOWER} & set(fleet(each))) for each in values.tolist())
    name = f"machines one by one, any false FASTER or SLOWER: {machines} machines, {launches} launches, CV 5%, {noise}"
    assert within_simulation_error(noted(name, found, studies), 0.05, studies)


@pytest.mark.parametrize("launches", [3, 6])
def test_the_one_machine_of_five_that_is_planted_slow_is_shown_to_be(launches, noted):
    """13 % slow among machines that differ by 2 % and launches by 2 %, where the test for outliers has little power."""
    studies = 500
    rng = np.random.default_rng(launches)
    values = rng.normal(0, 0.02, (studies, 5, launches)) + rng.normal(0, 0.02, (studies, 5, 1))
    values[:, 4] += math.log(0.87)
    words = [fleet(each)[4] for each in values.tolist()]
    name = f"machines one by one, power: one of 5 planted 13 % slow, {launches} launches, 2 % between and within"
    assert noted(name, words.count(SLOWER), studies) > 0.8
    picked = sum(4 in outliers([float(np.mean(one)) for one in each]) for each in values.tolist())
    noted(f"machines, the same picked as an outlier, {launches} launches", picked, studies)
