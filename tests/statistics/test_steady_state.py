"""Does the cut find a transient without biasing the rate, and is drift named when it is there and only then?"""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.statistics.intervals import rate_interval
from bench.analysis.statistics.steady import SLOWING, WARMING, equal_cut, launch_rate, mser_cut, tail_drift, window
from bench.analysis.validity.rules import row_findings
from tests.statistics.simulated import BATCH, STEP_NS, ar1, steps_of

pytestmark = pytest.mark.statistics

PHIS = (0.0, 0.5, 0.8)
TRUTH = BATCH / STEP_NS * 1e9


def series(seed, launches, count, phi, sd=0.02):
    return STEP_NS * (1 + ar1(np.random.default_rng(seed), (launches, count), phi, sd))


@pytest.mark.parametrize("phi", PHIS)
def test_a_transient_is_cut_and_little_more(phi, noted):
    launches = 2000
    transient = 1 + 0.5 * np.exp(-np.arange(200) / 4)
    cuts = np.array([mser_cut(each) for each in series(1, launches, 200, phi) * transient])
    found = int(np.count_nonzero(cuts >= 10))  # past 10 steps, less than 4 % is left of it
    assert noted(f"MSER-5 finds a transient of 8 steps, phi {phi}", found, launches) >= 0.95
    assert np.median(cuts) <= 30


@pytest.mark.parametrize("phi", PHIS)
def test_the_cut_takes_the_bias_of_a_transient_away_and_adds_none(phi):
    transient = 1 + 0.5 * np.exp(-np.arange(100) / 4)
    biases = {"none": [], "uncut": [], "cut": []}
    for row in range(100):
        clean = [steps_of(each[None, :]) for each in series(row, 6, 100, phi)]
        slow = [steps_of(each[None, :] * transient) for each in series(row, 6, 100, phi)]
        cut = equal_cut(slow)
        for name, launches, drop in (("none", clean, equal_cut(clean)), ("uncut", slow, 0), ("cut", slow, cut)):
            rates = [launch_rate(each, drop).throughput_sps for each in launches]
            biases[name].append(math.log(rate_interval(rates).estimate / TRUTH))
    bias = {name: float(np.mean(each)) for name, each in biases.items()}
    assert bias["uncut"] < -0.015
    assert abs(bias["cut"]) < 0.001
    assert abs(bias["none"]) < 0.001


@pytest.mark.parametrize("phi", PHIS)
@pytest.mark.parametrize("count", [30, 60, 100])
def test_a_steady_launch_is_seldom_said_to_drift(count, phi, noted):
    launches = 1500
    found = sum(tail_drift(each) is not None for each in series(2, launches, count, phi))
    limit = {0.0: 0.06, 0.5: 0.09, 0.8: 0.2}[phi]
    assert noted(f"drift, false alarm of a launch: {count} steps, phi {phi}", found, launches) <= limit


@pytest.mark.parametrize("phi", PHIS)
@pytest.mark.parametrize("rounds", [3, 6])
def test_a_steady_row_is_hardly_ever_said_to_drift(rounds, phi, noted):
    rows, found = 500, 0
    any_window = window(steps_of(series(0, 1, 40, phi)), 0)
    for row in range(rows):
        windows = [replace(any_window, drift=tail_drift(each)) for each in series(1000 + row, rounds, 40, phi)]
        found += bool(list(row_findings([], windows, fixed_work=True)))
    limit = 0.01 if phi < 0.8 else 0.04
    assert noted(f"drift, false alarm of a row: {rounds} launches of 40 steps, phi {phi}", found, rows) <= limit


@pytest.mark.parametrize(("phi", "lowest"), [(0.0, 0.99), (0.5, 0.85), (0.8, 0.6)])
@pytest.mark.parametrize(("drift", "name"), [(0.05, SLOWING), (-0.05, WARMING)])
def test_a_drift_of_five_percent_is_named_by_its_direction(drift, name, phi, lowest, noted):
    launches = 1000
    ramp = 1 + np.linspace(0, drift, 100)
    found = Counter(tail_drift(each * ramp) for each in series(3, launches, 100, phi))
    assert noted(f"drift, power: {drift:+.0%} over 100 steps, phi {phi}", found[name], launches) >= lowest
    assert found[WARMING if name == SLOWING else SLOWING] <= 0.01 * launches


def test_the_cut_alone_does_not_find_a_slow_drift():
    """Why the tail is tested: under a drift MSER cuts somewhere, and what is left still drifts."""
    ramp = 1 + np.linspace(0, 0.1, 200)
    left = [each[mser_cut(each) :] for each in series(4, 200, 200, 0.5) * ramp]
    assert sum(tail_drift(each) == SLOWING for each in left) >= 180
