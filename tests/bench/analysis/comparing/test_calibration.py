"""A machine against itself: its spread, the verdicts' false alarms, and what later verdicts make of it."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from bench.analysis.comparing import calibration
from bench.analysis.comparing.calibration import calibrate, of, rate_of
from bench.analysis.comparing.nouns import Calibration
from bench.documents import noun_of


def calibrated(rates=None, **changes):
    document = {
        "study_id": "s1",
        "created_at": "2025-01-01T00:00:00+00:00",
        "hw_id": "hw",
        "workload": "work",
        "configuration": "single-cpu-1x2",
        "device": "cpu",
        "margin": 0.02,
        "seed": 0,
    }
    rates = rates if rates is not None else drawn(24)
    return calibrate(rates, **{**document, **changes})


def drawn(n, cv=0.01, seed=0):
    return (1000 * np.exp(np.random.default_rng(seed).normal(0, cv, n))).tolist()


def test_the_spread_is_that_of_the_logs_with_a_chi_square_interval():
    rates = drawn(24)
    found = calibrated(rates)
    assert found.cv.estimate == pytest.approx(np.log(rates).std(ddof=1))
    assert found.cv.low < found.cv.estimate < found.cv.high
    assert found.cv.n == found.launches == 24


def test_drift_widens_the_spread_of_launches_and_not_that_within_pairs():
    drifting = (np.array(drawn(24, cv=0.002)) * np.linspace(1, 0.8, 24)).tolist()
    found = calibrated(drifting)
    assert found.cv.estimate > 5 * found.within_pairs.estimate
    assert found.drift.high < 1


def test_launches_from_one_distribution_show_no_drift():
    found = calibrated(drawn(60))
    assert found.drift.low < 1 < found.drift.high
    assert found.within_pairs.estimate == pytest.approx(found.cv.estimate, rel=0.3)


def test_comparisons_that_share_no_launch_are_counted_with_an_interval():
    found = calibrated(drawn(65))
    assert found.disjoint.comparisons == 5
    assert found.disjoint.low <= found.disjoint.alarms / 5 <= found.disjoint.high
    assert (found.halves.comparisons, found.halves.low) == (calibration.HALVES, None)


def test_too_few_launches_for_a_comparison_count_none_and_claim_no_rate():
    found = calibrated(drawn(8))
    assert (found.disjoint.comparisons, found.disjoint.high) == (0, None)
    assert found.halves.comparisons == 0
    with pytest.raises(ValueError, match="six are the fewest"):
        calibrated(drawn(5))


def test_a_machine_that_changes_its_speed_now_and_then_raises_no_alarm_between_interleaved_sides():
    rates = [rate * (1.0 if place % 20 < 10 else 0.8) for place, rate in enumerate(drawn(120, cv=0.002))]
    found = calibrated(rates)
    assert (found.disjoint.alarms, found.disjoint.comparisons) == (0, 10)


def test_the_exact_interval_of_a_count_is_clopper_and_pearsons():
    nothing = rate_of(0, 20)
    assert (nothing.low, nothing.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 20)))
    assert rate_of(0, 0).high is None


def test_what_can_be_told_shrinks_with_launches():
    found = calibrated()
    assert list(found.detectable) == [3, 6, 10]
    assert found.detectable[3] > found.detectable[6] > found.detectable[10] > 1
    assert found.detectable[6] == pytest.approx(1 + 1.78 * found.cv.estimate, rel=0.05)


def test_it_survives_json():
    found = calibrated()
    assert noun_of(Calibration, json.loads(json.dumps(asdict(found)))) == found


def test_the_calibration_of_the_row_itself_counts_before_that_of_another_row():
    single = calibrated(drawn(24, cv=0.01))
    pair = calibrated(drawn(24, cv=0.03), configuration="ddp-cpu-2x1", created_at="2025-02-01T00:00:00+00:00")
    kept = [single, pair]
    assert of(kept, "hw", "work", "single-cpu-1x2", "cpu").spread == single.cv.estimate
    assert of(kept, "hw", "work", "ddp-cpu-4x1", "cpu").spread == pair.cv.estimate
    newer = replace(single, created_at="2025-03-01T00:00:00+00:00", cv=pair.cv)
    assert of([*kept, newer], "hw", "work", "single-cpu-1x2", "cpu").spread == pair.cv.estimate


@pytest.mark.parametrize("asked", [("other", "work", "cpu"), ("hw", "other", "cpu"), ("hw", "work", "cuda")])
def test_another_machine_work_or_device_borrows_nothing(asked):
    hw_id, work, device = asked
    assert of([calibrated()], hw_id, work, "single-cpu-1x2", device) is None
    assert of([calibrated()], None, "work", "single-cpu-1x2", "cpu") is None


def test_noise_within_pairs_is_that_of_their_ratio():
    found = calibrated()
    assert of([found], "hw", "work", "x", "cpu").pair_spread == pytest.approx(
        math.sqrt(2) * found.within_pairs.estimate
    )
