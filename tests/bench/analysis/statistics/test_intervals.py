import doctest
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER
from bench.analysis.statistics import intervals
from bench.analysis.statistics.intervals import (
    LogMean,
    paired_logs,
    rate_interval,
    ratio_interval,
    student_t,
    welch_ratio,
)
from bench.analysis.statistics.verdicts import min_detectable_effect, rounds_needed, sign_flip, verdict

few = settings(max_examples=60, deadline=None)
rate = st.floats(1e-3, 1e9)
rates = st.lists(rate, min_size=3, max_size=12)
scale = st.floats(1e-3, 1e3)
difference = st.floats(-1, 1).map(lambda value: round(value, 6))  # no spread below what a clock can see


def by_round(values):
    return dict(enumerate(values))


def test_examples_in_the_docstrings_are_true():
    assert doctest.testmod(intervals).failed == 0


def test_the_interval_of_three_rates_is_the_one_from_the_textbook():
    # ln(90, 100, 110) has mean 4.60179 and sd 0.100385; t_.975,2 = 4.302653.
    found = rate_interval([90.0, 100.0, 110.0])
    assert found.estimate == pytest.approx(99.66549, rel=1e-6)
    assert found.low == pytest.approx(77.6693, rel=1e-4)
    assert found.high == pytest.approx(127.8912, rel=1e-4)
    assert (found.n, found.method) == (3, "t interval on log throughput over launches")


def test_the_interval_of_a_paired_ratio_is_scipys_on_the_log_ratios():
    a, b = [2.0, 2.1, 1.9, 2.05], [1.0, 1.02, 0.97, 1.0]
    found = ratio_interval(by_round(a), by_round(b))
    theirs = stats.ttest_rel(np.log(a), np.log(b)).confidence_interval()
    assert (found.low, found.high) == pytest.approx((math.exp(theirs.low), math.exp(theirs.high)))


def test_ratios_are_paired_by_round_and_not_by_place_in_a_list():
    a, b = {0: 2.0, 2: 8.0, 5: 6.0}, {2: 4.0, 0: 1.0, 3: 9.0}
    assert paired_logs(a, b) == pytest.approx([math.log(2), math.log(2)])
    assert ratio_interval(a, b).n == 2


def test_what_drifts_with_the_machine_cancels_from_a_paired_ratio():
    machine = np.array([1.0, 0.9, 0.7, 0.95, 0.6, 0.5])
    found = ratio_interval(by_round(200 * machine), by_round(100 * machine))
    assert (found.low, found.high) == pytest.approx((2, 2))


def test_no_common_round_gives_no_ratio():
    assert ratio_interval({0: 1.0}, {1: 1.0}) is None
    assert paired_logs({}, {}) == []


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_launches_give_an_estimate_without_an_interval(count):
    for found in (
        rate_interval([100.0] * count),
        ratio_interval(by_round([2.0] * count), by_round([1.0] * count)),
        welch_ratio([2.0] * count, [1.0] * 5),
    ):
        assert found.low is None
        assert found.high is None
        assert found.n == count


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_no_positive_number_is_refused(bad):
    for refused in (
        lambda: rate_interval([1.0, bad, 2.0]),
        lambda: ratio_interval({0: bad}, {0: 1.0}),
        lambda: welch_ratio([1.0, 2.0, 3.0], [1.0, bad, 2.0]),
    ):
        with pytest.raises(ValueError, match="positive"):
            refused()


def test_no_rates_are_refused():
    with pytest.raises(ValueError, match="no rates"):
        rate_interval([])


def test_more_launches_narrow_the_interval():
    widths = []
    for n in (3, 6, 12, 24):
        found = rate_interval([99.0, 100.0, 101.0] * (n // 3))
        widths.append(found.high / found.low)
    assert widths == sorted(widths, reverse=True)


@few
@given(rates)
def test_an_interval_contains_its_estimate(values):
    found = rate_interval(values)
    assert found.low <= found.estimate <= found.high
    assert min(values) * (1 - 1e-9) <= found.estimate <= max(values) * (1 + 1e-9)


@few
@given(rates, scale)
def test_an_interval_scales_with_the_unit(values, factor):
    before, after = rate_interval(values), rate_interval([factor * each for each in values])
    assert after.estimate == pytest.approx(factor * before.estimate)
    assert after.low == pytest.approx(factor * before.low)
    assert after.high == pytest.approx(factor * before.high)


@few
@given(st.lists(st.tuples(rate, rate), min_size=3, max_size=12), scale)
def test_a_ratio_does_not_depend_on_the_unit_and_turns_over_with_its_sides(pairs, factor):
    a, b = (by_round(side) for side in zip(*pairs, strict=True))
    found, turned = ratio_interval(a, b), ratio_interval(b, a)
    same = ratio_interval({r: factor * v for r, v in a.items()}, {r: factor * v for r, v in b.items()})
    assert same.estimate == pytest.approx(found.estimate)
    assert turned.estimate == pytest.approx(1 / found.estimate)
    assert turned.low == pytest.approx(1 / found.high)
    assert turned.high == pytest.approx(1 / found.low)


@few
@given(rates, rates)
def test_an_unpaired_ratio_turns_over_with_its_sides(a, b):
    found, turned = welch_ratio(a, b), welch_ratio(b, a)
    assert found.low <= found.estimate * (1 + 1e-12)
    assert turned.estimate == pytest.approx(1 / found.estimate)
    assert turned.low == pytest.approx(1 / found.high)
    assert found.n == min(len(a), len(b))


def test_an_unpaired_ratio_is_scipys_welch_interval_on_the_logs():
    a, b = [2.0, 2.1, 1.9, 2.05], [1.0, 1.3, 0.9, 1.1, 1.05]
    theirs = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval()
    found = welch_ratio(a, b)
    assert (found.low, found.high) == pytest.approx((math.exp(theirs.low), math.exp(theirs.high)))


def test_an_unpaired_ratio_of_constant_rates_is_a_point():
    found = welch_ratio([2.0] * 4, [1.0] * 5)
    assert (found.low, found.estimate, found.high) == pytest.approx((2, 2, 2))


def test_a_paired_speedup_times_the_baseline_is_the_rate():
    row, baseline = [190.0, 205.0, 201.0], [100.0, 104.0, 99.0]
    speedup = ratio_interval(by_round(row), by_round(baseline)).estimate
    assert speedup * rate_interval(baseline).estimate == pytest.approx(rate_interval(row).estimate)


def test_a_clear_difference_is_faster_or_slower_and_clears_the_margin():
    up = [0.50, 0.51, 0.49, 0.50, 0.52, 0.48]
    found = verdict(up, 0.02)
    assert (found.word, found.beyond_margin, found.rounds_needed) == (FASTER, True, None)
    assert "lies above 1" in found.reasons[0]
    found = verdict([-each for each in up], 0.02)
    assert (found.word, found.beyond_margin) == (SLOWER, True)
    assert "lies below 1" in found.reasons[0]


def test_a_difference_around_the_margin_is_faster_but_not_beyond_it():
    found = verdict([0.022, 0.018, 0.025, 0.02, 0.028, 0.015], 0.02)
    assert (found.word, found.beyond_margin) == (FASTER, False)


def test_a_small_interval_around_one_is_equivalent():
    found = verdict([0.004, -0.003, 0.002, -0.005, 0.001, 0.003], 0.02)
    assert found.word == EQUIVALENT
    assert "not chance" not in found.reasons[0]


def test_equivalence_asks_for_the_90_percent_interval_and_not_the_95():
    level = [0.0197, -0.0197] * 3
    low, high = LogMean.of(level).interval(0.95)
    assert low < 1 / 1.02 < 1.02 < high
    assert verdict(level, 0.02).word == EQUIVALENT


def test_a_significant_trifle_is_equivalent_and_the_reason_tells_its_size():
    trifle = [0.0050, 0.0052, 0.0049, 0.0051, 0.0048, 0.0050]
    assert LogMean.of(trifle).interval(0.95)[0] > 1
    found = verdict(trifle, 0.02)
    assert found.word == EQUIVALENT
    assert "+0.5 % is not chance, but too small to matter" in found.reasons[0]
    assert verdict(trifle, 0.001).word == FASTER


def test_the_equivalence_margin_is_symmetric_in_ratios():
    edge = math.log(1.02)
    for sign in (1, -1):
        assert verdict([sign * (edge - 1e-9)] * 6, 0.02).word == EQUIVALENT
        assert verdict([sign * (edge + 1e-9)] * 6, 0.02).word != EQUIVALENT


def test_noise_is_inconclusive_and_says_what_could_have_been_seen():
    noise = [0.06, -0.05, 0.02, -0.04, 0.05, -0.01]
    found = verdict(noise, 0.02)
    spread = float(np.std(noise, ddof=1))
    assert found.word == INCONCLUSIVE
    assert found.detectable == pytest.approx(math.exp(min_detectable_effect(6) * spread))
    assert found.rounds_needed == rounds_needed(spread, 0.02) > 6
    assert str(found.rounds_needed) in found.reasons[1]


def test_a_difference_too_near_the_margin_promises_nothing_from_more_rounds():
    found = verdict([0.017, 0.021, 0.012, -0.001, 0.024, 0.014], 0.02)
    assert found.word == INCONCLUSIVE
    assert found.rounds_needed is None or found.rounds_needed > 6


def test_where_the_two_tests_disagree_nothing_is_called():
    # One of six rounds points the other way: the t interval excludes 1, the exact test stays at p = 4/64.
    split = [0.05, 0.06, 0.05, 0.06, -0.001, 0.055]
    assert LogMean.of(split).interval(0.95)[0] > 1
    assert sign_flip(split) == pytest.approx(4 / 64)
    found = verdict(split, 0.02)
    assert found.word == INCONCLUSIVE
    assert "sign-flip test does not agree" in found.reasons[0]


def flips(rounds):
    return itertools.product((1, -1), repeat=rounds)


def test_beyond_what_can_be_tried_exactly_the_interval_stands_alone():
    with pytest.raises(ValueError, match="too many"):
        sign_flip([0.1] * 15)
    assert verdict([0.1, 0.11, 0.09] * 5, 0.02).word == FASTER


def test_the_exact_test_is_the_share_of_sign_choices_as_far_out():
    values = [0.3, -0.1, 0.2, 0.25, 0.05, 0.4, -0.02]
    signs = np.array(np.meshgrid(*[[-1, 1]] * 7)).reshape(7, -1)
    means = np.abs(signs.T @ values) / 7
    assert sign_flip(values) == pytest.approx(np.mean(means >= abs(np.mean(values)) - 1e-12))
    assert sign_flip([0.1] * 6) == pytest.approx(2 / 64)
    assert sign_flip([0.0] * 6) == pytest.approx(1)


@few
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=9))
def test_the_exact_test_counts_ties_as_whole_numbers_would(values):
    sums = [sum(sign * value for sign, value in zip(signs, values, strict=True)) for signs in flips(len(values))]
    as_far = sum(abs(each) >= abs(sum(values)) for each in sums)
    assert sign_flip([value / 7000 for value in values]) == as_far / len(sums)


@few
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=9).map(lambda whole: [each / 1024 for each in whole]))
def test_the_exact_test_is_scipys(values):
    # Sums of such values are exact: where they nearly cancel, scipy's own tolerance is too small for what is rounded.
    theirs = stats.permutation_test((values,), np.mean, permutation_type="samples", vectorized=True, n_resamples=2**14)
    assert sign_flip(values) == theirs.pvalue


@pytest.mark.parametrize("freedom", [1, 2, 5, 5.37, 11, 29.4, 82, 1e6])
def test_quantiles_are_those_of_scipys_distributions_to_the_last_digit(freedom):
    for probability in (0.8, 0.95, 0.975):
        assert student_t(probability, freedom) == float(stats.t.ppf(probability, freedom))


@pytest.mark.parametrize(
    ("constant", "word"), [(0.0, EQUIVALENT), (0.01, EQUIVALENT), (0.7, FASTER), (-0.7, SLOWER), (0.03, FASTER)]
)
def test_rounds_without_any_spread_are_judged_by_their_size(constant, word):
    found = verdict([constant] * 6, 0.02)
    assert found.word == word
    assert found.detectable == pytest.approx(1)


@pytest.mark.parametrize("count", range(6))
def test_fewer_than_six_rounds_never_get_a_word(count):
    found = verdict([0.7] * count, 0.02)
    assert found.word == INCONCLUSIVE
    assert found.rounds_needed == 6
    assert "a verdict needs 6" in found.reasons[0]


def test_a_margin_of_nothing_is_refused():
    with pytest.raises(ValueError, match="margin"):
        verdict([0.1] * 6, 0.0)


@few
@given(st.lists(difference, min_size=6, max_size=10), st.sampled_from([0.005, 0.02, 0.1]))
def test_a_verdict_turns_over_with_its_sides(differences, margin):
    opposite = {FASTER: SLOWER, SLOWER: FASTER}
    found, turned = verdict(differences, margin), verdict([-each for each in differences], margin)
    assert turned.word == opposite.get(found.word, found.word)
    assert turned.beyond_margin == found.beyond_margin
    assert found.detectable >= 1
    if found.word in {FASTER, SLOWER}:
        low, high = LogMean.of(differences).interval(0.95)
        assert low > 1 or high < 1


@few
@given(st.floats(1e-4, 0.5), st.sampled_from([0.01, 0.02, 0.05]))
def test_rounds_needed_is_the_smallest_number_that_reaches_the_margin(spread, margin):
    needed = rounds_needed(spread, margin)
    assert min_detectable_effect(needed) * spread <= math.log1p(margin)
    assert needed == 6 or min_detectable_effect(needed - 1) * spread > math.log1p(margin)
