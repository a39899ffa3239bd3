import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.analysis.statistics.steady import line


@given(st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=40))
def test_slope_and_p_are_those_of_scipy(values):
    means = np.array(values)
    if np.ptp(means) < 1e-3:
        return  # asked only of what is not flat
    known = stats.linregress(np.arange(len(means)), means)
    slope, p_value = line(means)
    assert slope == pytest.approx(known.slope, rel=1e-9, abs=1e-9)
    assert p_value == pytest.approx(known.pvalue, rel=1e-6, abs=1e-9)


def test_a_perfect_line_leaves_no_doubt():
    assert line(np.arange(8.0)) == (1.0, 0.0)
