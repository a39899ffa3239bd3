"""Gates fail only when the whole interval lies beyond the threshold, and never pass what was not seen."""

from dataclasses import replace

import pytest

from bench.analysis.comparing import gates, machines
from bench.analysis.comparing.compare import compare
from bench.analysis.comparing.gates import FAIL, PASS, UNDECIDED
from bench.plan import SHARED_HOST
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE
from tests.bench.analysis.comparing.operands import around, side


def asked(a, b, *names, margin=0.02):
    return gates.rulings(compare(a, b, margin), names)


def decided(a, b, *names, margin=0.02):
    return gates.decision(asked(a, b, *names, margin=margin))


@pytest.mark.parametrize(
    ("rate", "margin", "decision"),
    [
        (900, 0.02, FAIL),
        (900, 0.05, FAIL),
        (939, 0.05, UNDECIDED),  # 0.939 [0.927, 0.951] at 5 %: it reaches beyond, and not wholly
        (950, 0.05, UNDECIDED),
        (967, 0.05, PASS),
        (1000, 0.02, PASS),
        (1100, 0.02, PASS),
    ],
)
def test_slower_fails_when_the_whole_interval_is_beyond_the_threshold(rate, margin, decision):
    b = side({SINGLE: around(rate, seed=1, cv=0.02 if rate == 939 else 0.005)}, name="B")
    assert decided(side(), b, "slower", margin=margin) == decision


@pytest.mark.parametrize("launches", [2, 3, 4])
def test_too_few_launches_decide_nothing_however_far_apart(launches):
    a, b = side({SINGLE: around(1000, n=launches)}), side({SINGLE: around(500, n=launches)}, name="B")
    (ruling,) = asked(a, b, "slower")
    assert ruling.decision == UNDECIDED
    assert "a verdict needs 5" in ruling.reason


@pytest.mark.parametrize("changed", [{"warnings": (SHARED_HOST,)}, {"loss_finite": None}, {"closure_error": 0.01}])
def test_a_row_that_is_not_sound_decides_nothing_though_it_is_half_as_fast(changed):
    b = side({SINGLE: around(500, seed=1)}, name="B", launches_changed=changed)
    (ruling,) = asked(side(), b, "slower")
    assert ruling.decision == UNDECIDED
    assert ruling.reason


def test_a_row_that_one_side_lacks_is_undecided_whichever_side():
    more, less = side({SINGLE: around(1000), DDP2: around(1800, seed=1)}), side(name="B")
    for a, b in ((more, less), (less, more)):
        found = asked(a, replace(b, name="B"), "slower")
        assert {each.decision for each in found} == {PASS, UNDECIDED}
        assert gates.decision(found) == UNDECIDED
        assert any("has no partner" in each.about for each in found)


def test_an_invalid_row_is_undecided_for_every_gate_but_the_one_that_asks_for_it():
    b = side(name="B", launches_changed={"weights_moved": False})
    document = {each.gate: each for each in asked(side(), b, *gates.GATES)}
    assert document.pop("invalid").decision == FAIL
    assert {each.decision for each in document.values()} == {UNDECIDED}
    assert all("weights did not change" in each.reason for each in document.values())


def test_other_work_is_undecided_and_says_what_differs():
    found = asked(side(), side(name="B", workload={"precision": "bf16"}), "slower", "invalid")
    assert [each.decision for each in found] == [UNDECIDED, FAIL]
    assert "precision: fp32 against bf16" in found[0].reason


def test_what_nobody_measured_is_undecided():
    (ruling,) = asked(side(), side(name="B"), "more-energy")
    assert (ruling.decision, ruling.reason) == (UNDECIDED, "not measured by A and B")


def test_one_failure_outweighs_doubt_and_doubt_outweighs_what_passed():
    a = side({SINGLE: around(1000), DDP2: around(1800, seed=1)})
    slow = side({SINGLE: around(1000), DDP2: around(1500, seed=1)}, name="B")
    loud = side({SINGLE: around(1000), DDP2: around(1750, cv=0.1, seed=1)}, name="B")
    assert decided(a, slow, "slower") == FAIL
    assert decided(a, loud, "slower") == UNDECIDED


def test_each_gate_looks_at_its_own_quantity():
    b = side(name="B", launches_changed={"loss_last": 1.3, "peak_memory_bytes": 2**30})
    found = asked(side(), b, *gates.GATES)
    assert [each.gate for each in found if each.decision == FAIL] == ["more-memory", "diverged"]


def test_losses_that_agree_to_the_last_bit_need_no_further_seeds():
    epochs = {"steps": None, "epochs": 8}
    a, b = (side(name=name, workload=epochs, accuracy={SINGLE.key: {0: 0.9}}) for name in "AB")
    assert decided(a, b, "diverged") == PASS
    c = side(name="B", workload=epochs, accuracy={SINGLE.key: {0: 0.8}})
    assert decided(a, c, "diverged") == UNDECIDED


def test_accuracy_fails_only_when_its_whole_interval_is_beyond_a_point():
    levels = (0.900, 0.901, 0.899, 0.902, 0.898)

    def over_seeds(less):
        epochs = {"steps": None, "seconds": None, "epochs": 8, "seed": 3 if less else 0}
        values = {SINGLE.key: {seed: each - less for seed, each in enumerate(levels)}}
        return side(name="B" if less else "A", workload=epochs, accuracy=values)

    assert decided(over_seeds(0), over_seeds(0.05), "diverged") == FAIL
    assert decided(over_seeds(0), over_seeds(0.011), "diverged") == UNDECIDED


def test_no_gate_no_decision():
    assert decided(side(), side(name="B")) is None


def of_machines(*rates, n=3, cv=0.01, names=("slower",), margin=0.02, **changed):
    operands = [
        side(
            {SINGLE: around(rate, n=n, cv=cv, seed=place)},
            name=f"node{place}",
            launches_changed={"hw_id": f"hw{place}", **(changed if place == 4 else {})},
        )
        for place, rate in enumerate(rates)
    ]
    return gates.of_machines(machines.held_together(operands, margin), names)


def test_a_machine_shown_slower_fails_the_gate_where_the_test_for_outliers_has_no_power():
    found = of_machines(1000, 1030, 970, 1015, 870, cv=0.02)
    assert [each.about for each in found if each.decision == FAIL] == ["node4 on single-cpu-1x1"]


def test_a_suspect_machine_and_one_without_a_number_are_undecided():
    assert gates.decision(of_machines(1000, 1001, 999, 1000, 870, warnings=(SHARED_HOST,))) == UNDECIDED
    assert gates.decision(of_machines(1000, 1001, 999, 1000, 870, weights_moved=False)) == UNDECIDED


def test_other_gates_over_many_machines_do_not_pass_in_silence():
    assert gates.decision(of_machines(1000, 1001, 999, 1000, 1002, names=("slower", "diverged"))) == UNDECIDED
