"""Numbers in sentences have no exponent where a person reads one."""

import math

import pytest

from bench.analysis import digits
from bench.analysis.statistics import verdicts


@pytest.mark.parametrize(
    ("value", "count", "found"),
    [
        (101.1, 2, "101"),
        (99.96, 2, "100"),
        (1234567.0, 3, "1234567"),
        (1281167.0, 6, "1281167"),
        (0.958, 4, "0.958"),
        (1.0, 4, "1"),
        (0.00031, 2, "0.00031"),
        (3e-8, 2, "3e-08"),
        (1e38, 2, "1e+38"),
        (0.0, 2, "0"),
        (-12.34, 3, "-12.3"),
        (math.inf, 2, "infinite"),
        (math.nan, 2, "NaN"),
    ],
)
def test_a_number_keeps_its_digits_and_its_size(value, count, found):
    assert digits.significant(value, count) == found


def test_a_share_is_told_as_in_the_tables():
    assert digits.percent(1.011) == "101.1 %"
    assert digits.percent(12.0) == "1200.0 %"
    assert digits.limit(0.02) == "2 %"
    assert digits.limit(0.125) == "12.5 %"


@pytest.mark.parametrize("spread", [0.02, 0.5, 2.0, 6.0])
def test_no_reason_of_a_verdict_has_an_exponent(spread):
    differences = [spread * each for each in (-1.2, 0.4, 1.1, -0.7, 0.9, -0.3)]
    reasons = " ".join(verdicts.verdict(differences, 0.02).reasons)
    assert "e+" not in reasons
    assert " %" in reasons
