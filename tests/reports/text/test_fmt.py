"""Numbers as text: the digits follow the interval, and what is shown is what was measured."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.analysis.result import Estimate
from reports.text import fmt


def shown(text: str) -> float:
    return float(text.replace(fmt.NARROW, ""))


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


def estimate(middle: float, low: float | None, high: float | None, n: int = 6) -> Estimate:
    return Estimate(estimate=middle, low=low, high=high, n=n, method="t")


@st.composite
def estimates(draw):
    middle = draw(st.floats(1e-3, 1e6))
    low = middle * (1 - draw(st.floats(1e-6, 0.5)))
    high = middle * (1 + draw(st.floats(1e-6, 0.5)))
    assume(low < high)
    return estimate(middle, low, high)


@given(estimates())
def test_what_is_shown_is_the_number_to_half_its_last_digit(given_one):
    point = fmt.point(given_one)
    low, high = fmt.interval(given_one).strip("[]").split("," + fmt.NARROW)
    for text, value in ((point, given_one.estimate), (low, given_one.low), (high, given_one.high)):
        assert abs(shown(text) - value) <= 0.5 * 10 ** -decimals(text) * (1 + 1e-6)


@given(estimates())
def test_all_three_numbers_have_the_same_decimals(given_one):
    low, high = fmt.interval(given_one).strip("[]").split("," + fmt.NARROW)
    assert decimals(fmt.point(given_one)) == decimals(low) == decimals(high)


@given(estimates())
def test_the_last_digit_shown_is_the_second_of_the_half_width(given_one):
    half = (given_one.high - given_one.low) / 2
    places = decimals(fmt.point(given_one))
    rounded = float(f"{half:.1e}") * 10**places  # the half-width in units of the last digit shown
    if places:
        assert 10 <= round(rounded, 6) < 100
    else:
        assert rounded >= 9.99  # whole numbers are never rounded to tens


@given(st.floats(1e-6, 1e9))
def test_without_an_interval_three_digits_are_shown_and_whole_numbers_whole(value):
    text = fmt.number(value)
    assert abs(shown(text) - value) <= 0.005 * value * (1 + 1e-6)
    if value >= 1000:
        assert "." not in text


@pytest.mark.parametrize(
    ("given_one", "text"),
    [
        (estimate(1.9338, 1.9196, 1.9482), "1.934 [1.920, 1.948]"),
        (estimate(1.93, 1.8, 2.06), "1.93 [1.80, 2.06]"),
        (estimate(1302.4, 1294.2, 1310.7), "1 302.4 [1 294.2, 1 310.7]"),
        (estimate(12_302.4, 11_294.2, 13_310.7), "12 302 [11 294, 13 311]"),
        (estimate(0.5, 0.4004, 0.5996), "0.50 [0.40, 0.60]"),  # a half-width of .0996 is .10
        (estimate(1.9338, None, None, n=2), "1.93"),
        (estimate(1.9338, 1.9338, 1.9338), "1.93"),
        (estimate(1.9338, 0.0, math.inf), "1.93"),
    ],
)
def test_an_estimate_reads_as_in_the_table(given_one, text):
    assert fmt.with_interval(given_one).replace(fmt.NARROW, " ") == text


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, -math.inf])
def test_what_is_missing_is_a_dash_and_never_zero(missing):
    assert fmt.number(missing) == fmt.percent(missing) == fmt.MISSING
    assert fmt.point(None) == fmt.percent_point(None) == fmt.plus_minus(None) == fmt.MISSING


def test_a_measured_zero_is_a_zero():
    assert fmt.number(0) == "0"
    assert fmt.number(0.0) == "0"
    assert fmt.percent(0.0) == f"0.0{fmt.NARROW}%"


def test_nothing_is_shown_as_minus_zero():
    assert fmt.number(-0.0001, 2) == "0.00"


def test_an_int_is_shown_whole():
    assert fmt.number(25_557_032).replace(fmt.NARROW, " ") == "25 557 032"


def test_half_the_width_is_a_share_with_two_digits_and_the_count_where_there_is_none():
    assert fmt.plus_minus(estimate(1000, 995, 1005)) == f"0.50{fmt.NARROW}%"
    assert fmt.plus_minus(estimate(1000, None, None, n=1)) == "n=1"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (41.2, "41 s"), (99, "99 s"), (130, "2 min"), (3600, "60 min"), (7500, "2 h 5 min")],
)
def test_a_length_of_time_reads_like_speech(seconds, text):
    assert fmt.duration(seconds) == text


@pytest.mark.parametrize(
    ("many", "text"), [(512, "0.500 KiB"), (2048, "2.00 KiB"), (432_013_312, "412 MiB"), (10_522_669_875, "9.80 GiB")]
)
def test_an_amount_of_memory_takes_the_unit_that_fits(many, text):
    assert fmt.size(many).replace(fmt.NARROW, " ") == text


def test_nouns_follow_their_number():
    assert [fmt.count(1, "launch"), fmt.count(2, "launch"), fmt.count(3, "rank")] == [
        "1 launch",
        "2 launches",
        "3 ranks",
    ]
    assert fmt.listed(["a", "b", "c"]) == "a, b and c"
    assert fmt.listed([]) == ""


@given(st.text())
def test_text_from_outside_can_neither_move_the_cursor_nor_break_a_line(text):
    clean = fmt.clean(text)
    assert clean.isprintable()
    assert fmt.clean(clean) == clean


def test_colours_of_a_log_line_are_taken_off_whole():
    assert fmt.clean("\x1b[1;31mRuntimeError\x1b[0m:\r\n\tboom \x1b]0;title\x07!") == "RuntimeError: boom !"


@given(st.text())
def test_the_ascii_form_is_ascii(text):
    assert fmt.to_ascii(text).isascii()


def test_the_ascii_form_loses_no_letter_without_saying_so():
    assert fmt.to_ascii(f"é {fmt.MISSING} ± · 中") == r"e - +- | \u4e2d"
