"""Where a launch's slow start ends, in step times that were made up."""

import doctest

import numpy as np
import pytest

from bench import transient
from bench.transient import slow_start


def noise(count, seed=0, sd=0.01):
    return np.random.default_rng(seed).normal(1, sd, count)


def test_the_example_in_the_docstring_is_true():
    assert doctest.testmod(transient).failed == 0


@pytest.mark.parametrize("slow", [12, 13, 15])
@pytest.mark.parametrize("factor", [1.45, 1.1, 0.7])
def test_a_window_of_few_long_steps_does_not_keep_the_warm_ups_pace(slow, factor):
    steps = 150e6 * noise(24) * np.where(np.arange(24) < slow, factor, 1)
    assert max(1, slow - 11) <= slow_start(steps, first=10) <= slow - 10


@pytest.mark.parametrize("count", [24, 60, 210, 2000])
def test_a_warm_up_that_ended_in_time_leaves_the_window_alone(count):
    steps = noise(count)
    steps[:6] *= (20, 3, 2, 1.5, 1.2, 1.1)
    assert slow_start(steps, first=10) == 0


@pytest.mark.parametrize("at", [10, 12, 15])
def test_a_stall_is_no_start_wherever_it_falls(at):
    steps = noise(40)
    steps[at] = 30.0
    assert slow_start(steps, first=10) == 0


def test_a_start_that_fades_is_left_behind():
    steps = noise(210) * (1 + 0.5 * np.exp(-np.arange(210) / 8))
    assert 5 <= slow_start(steps, first=10) <= 40


def test_no_more_than_half_of_the_window_is_called_its_start():
    ramp = np.where(np.arange(50) < 45, 1.5, 1.0) * noise(50)
    assert slow_start(ramp, first=10) <= 20


def test_what_does_not_move_the_mean_stays():
    steps = noise(2000, sd=0.001)
    steps[10:16] *= 1.2  # 0.06 % of the window
    assert slow_start(steps, first=10) == 0


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_entries_say_nothing(count):
    assert slow_start(noise(count), first=0) == 0
