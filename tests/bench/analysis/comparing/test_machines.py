"""Many machines with one workload: the one that is not like the others is named, and no other."""

import numpy as np
import pytest

from bench.analysis.comparing.machines import held_together, outliers
from bench.analysis.result import FASTER, SLOWER
from tests.bench.analysis.analysis_fakes import SINGLE
from tests.bench.analysis.comparing.operands import around, side

# Lambda publishes one-GPU H100 results of 39 nodes, three runs each. What is published of them, and replayed here from
# normal draws of exactly that mean and spread, are these figures and not the single runs: fp16 with a coefficient of
# variation of 0.114 % once one node is set aside that is 3.8 % slow in all of its three runs; fp32 with 0.068 % and
# that same node as good as the others.
NODES, RUNS = 39, 3
FP16_CV, FP32_CV, SLOW = 0.00114, 0.00068, -0.038


def replayed(cv, *, slow=None, seed=0, run_cv=0.0005):
    """Rates of every node: node means of exactly this spread, runs around each."""
    means = around(1000, n=NODES - (slow is not None), cv=cv, seed=seed)
    if slow is not None:
        means.insert(slow, 1000 * (1 + SLOW))
    return [around(mean, n=RUNS, cv=run_cv, seed=100 + place) for place, mean in enumerate(means)]


def machines(rates, margin=0.02, **changed):
    operands = [
        side({SINGLE: each}, name=f"node{place:02d}", launches_changed={"hw_id": f"hw{place}"})
        for place, each in enumerate(rates)
    ]
    return held_together(operands, margin, **changed)


def named(found):
    return {each.party.name: each.word for each in found.rows[0].machines if each.word}


def test_the_slow_node_of_the_replayed_public_list_is_named_and_no_other():
    found = machines(replayed(FP16_CV, slow=17))
    assert named(found) == {"node17": SLOWER}
    fleet = found.rows[0]
    assert fleet.spread == pytest.approx(FP16_CV, rel=0.02)
    slow = fleet.machines[17]
    assert slow.ratio.estimate == pytest.approx(1 + SLOW, abs=0.001)
    assert slow.ratio.high < 0.97
    assert slow.p < 1e-6


def test_in_the_replayed_list_of_fp32_where_that_node_is_like_the_others_nobody_is_named():
    assert named(machines(replayed(FP32_CV))) == {}


def test_two_slow_machines_of_ten_do_not_hide_each_other():
    rates = [around(1000, n=3, cv=0.001, seed=place) for place in range(8)]
    rates += [around(960, n=3, cv=0.001, seed=8), around(961, n=3, cv=0.001, seed=9)]
    assert named(machines(rates)) == {"node08": SLOWER, "node09": SLOWER}


def test_a_machine_that_is_faster_is_named_too():
    rates = [around(1000 + place, n=3, cv=0.0005, seed=place) for place in range(8)] + [around(1100, n=3, cv=0.001)]
    assert named(machines(rates)) == {"node08": FASTER}


def test_a_machine_within_the_margin_is_picked_and_not_named():
    found = machines(replayed(FP16_CV, slow=17), margin=0.05)
    assert named(found) == {}
    assert found.rows[0].machines[17].p < 0.05


def test_one_unlucky_launch_does_not_condemn_its_machine():
    rates = [around(1000 + place, n=3, cv=0.0005, seed=place) for place in range(9)] + [[1000, 1001, 850]]
    assert named(machines(rates)) == {}


def test_four_machines_are_too_few_to_name_one():
    found = machines([around(rate, n=3, cv=0.001) for rate in (1000, 1001, 1002, 500)])
    assert named(found) == {}
    assert "4 machines; 5 are needed to name one that is not like the others" in found.rows[0].reasons
    assert found.rows[0].could_name is None
    assert [each.verdict.word for each in found.rows[0].machines] == ["EQUIVALENT"] * 3 + [SLOWER]


def test_one_of_five_that_is_far_off_is_shown_slower_though_no_outlier_can_be_named():
    found = machines([around(rate, n=6, cv=0.02, seed=rate) for rate in (1000, 1030, 970, 1015, 870)])
    fleet = found.rows[0]
    assert named(found) == {}
    assert fleet.could_name > 1.15
    slow = fleet.machines[4]
    assert [each for each in fleet.machines if each.verdict.word == SLOWER and each.verdict.beyond_margin] == [slow]
    assert slow.ratio.estimate == pytest.approx(870 / 1007.5, rel=1e-3)


def test_a_slow_machine_does_not_make_the_others_look_fast():
    found = machines([around(1000, n=6, cv=0.002, seed=place) for place in range(4)] + [around(500, n=6)])
    words = [each.verdict.word for each in found.rows[0].machines]
    assert words == ["EQUIVALENT"] * 4 + [SLOWER]


def test_two_launches_of_a_machine_are_inconclusive_with_the_reason():
    found = machines([around(1000, n=3, cv=0.002, seed=place) for place in range(4)] + [[700.0, 701.0]])
    verdict = found.rows[0].machines[4].verdict
    assert verdict.word == "INCONCLUSIVE"
    assert verdict.reasons[0] == "2 launches; an interval needs 3"


def test_a_machine_that_did_other_work_is_left_out_with_the_reason():
    operands = [side({SINGLE: around(1000 + place, seed=place)}, name=f"n{place}") for place in range(5)]
    operands.append(side(name="odd", workload={"precision": "bf16"}))
    found = held_together(operands, 0.02)
    assert found.left_out == ("odd is left out: precision: fp32 against bf16",)
    assert [each.party.name for each in found.rows[0].machines] == ["n0", "n1", "n2", "n3", "n4"]


def test_the_test_agrees_with_the_worked_example_of_the_nist_handbook():
    """Rosner's data, NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.17.3: three outliers."""
    # fmt: off
    data = [
        -0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58, 1.65, 1.69, 1.70,
        1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15, 2.23, 2.24, 2.26, 2.35, 2.37, 2.40,
        2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93, 3.21, 3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01,
    ]
    # fmt: on
    assert sorted(data[place] for place in outliers(data)) == [5.34, 5.42, 6.01]


def test_equal_values_hold_no_outlier():
    assert outliers([1.0] * 10) == {}
    assert outliers(np.arange(10.0).tolist()) == {}
