"""B compared with A: only what is alike is compared, and what is said is what the launches allow."""

import pytest

from bench.analysis.comparing.compare import compare
from bench.analysis.comparing.nouns import (
    ACCURACY,
    DIVERGED,
    EFFICIENCY,
    ENERGY,
    HIGHER,
    LOSS,
    LOWER,
    MEMORY,
    THROUGHPUT,
)
from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, INVALID, SLOWER
from bench.analysis.statistics.unpaired import Noise
from bench.plan import SHARED_HOST
from bench.recipe import Recipe
from bench.store.schema import METHOD_VERSION
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE, configuration
from tests.bench.analysis.comparing.operands import CONDITIONS, IDENTITY, SOFTWARE, around, side


def row(found, metric=THROUGHPUT, its=SINGLE):
    return next(each for each in found.rows if (each.configuration.key, each.metric) == (its.key, metric))


def word(found, metric=THROUGHPUT, its=SINGLE):
    return row(found, metric, its).verdict.word


def test_b_is_slower_where_its_launches_are():
    found = compare(side(), side({SINGLE: around(900, seed=1)}, name="B"), 0.02)
    its = row(found)
    assert its.verdict.word == SLOWER
    assert its.verdict.beyond_margin
    assert its.ratio.estimate == pytest.approx(0.9)
    assert its.ratio.low < 0.9 < its.ratio.high < 1
    assert (its.a.estimate, its.b.estimate) == (pytest.approx(1000), pytest.approx(900))
    assert its.verdict.detectable > 1


def test_turned_round_it_is_faster_by_the_inverse():
    a, b = side(), side({SINGLE: around(900, seed=1)}, name="B")
    one, other = row(compare(a, b, 0.02)), row(compare(b, a, 0.02))
    assert other.verdict.word == FASTER
    assert other.ratio.estimate == pytest.approx(1 / one.ratio.estimate)
    assert (other.ratio.low, other.ratio.high) == (pytest.approx(1 / one.ratio.high), pytest.approx(1 / one.ratio.low))


def test_the_same_rates_on_a_quiet_machine_are_equivalent():
    found = compare(side(), side({SINGLE: around(1001, seed=1)}, name="B"), 0.02)
    assert word(found) == EQUIVALENT
    assert word(found, MEMORY) == EQUIVALENT


def test_noise_that_hides_the_margin_is_inconclusive_and_says_what_it_would_take():
    found = compare(side({SINGLE: around(1000, cv=0.05)}), side({SINGLE: around(990, cv=0.05, seed=1)}, name="B"), 0.02)
    its = row(found).verdict
    assert its.word == INCONCLUSIVE
    assert its.rounds_needed > 60
    assert its.detectable > 1.05


def test_what_a_recipe_never_reads_keeps_nothing_apart():
    shorter = Recipe(every_epochs=4.5, milestones=(3.0,), betas=(0.8, 0.9), warmup_rate=0.01)
    assert compare(side(), side(name="B", workload={"recipe": shorter}), 0.02).comparable


def test_four_launches_a_side_get_no_verdict_however_far_apart():
    found = compare(side({SINGLE: around(1000, n=4)}), side({SINGLE: around(500, n=6)}, name="B"), 0.02)
    its = row(found)
    assert its.verdict.word == INCONCLUSIVE
    assert its.verdict.reasons == ("4 launches on a side; a verdict needs 5",)
    assert its.verdict.rounds_needed == 5
    assert its.ratio.estimate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("workload", "given"),
    [
        ({"precision": "bf16"}, "precision: fp32 against bf16"),
        ({"model": "resnet18"}, "model: lenet against resnet18"),
        ({"model_options": {"width": 2}}, 'model options: {} against {"width": 2}'),
        ({"steps": 50}, "steps: 40 against 50"),
        ({"input_shape": (3, 32, 32)}, "input shape: none against [3, 32, 32]"),
        ({"recipe": Recipe(schedule="cosine", minimum_rate=1e-3)}, "schedule: constant against cosine"),
    ],
)
def test_other_work_is_not_comparable_and_there_is_no_ratio(workload, given):
    found = compare(side(), side(name="B", workload=workload), 0.02)
    assert not found.comparable
    assert found.obstacles == (given,)
    assert found.rows == ()


def test_another_method_version_is_not_comparable():
    found = compare(side(), side(name="B", launches_changed={"method_version": 99}), 0.02)
    assert f"method version: {METHOD_VERSION} against 99" in found.obstacles[0]
    assert not found.rows


def test_a_model_of_another_size_under_the_same_name_is_not_comparable():
    found = compare(side(), side(name="B", launches_changed={"params": 7}), 0.02)
    assert found.obstacles == ("parameters of the model: 62006 against 7",)


@pytest.mark.parametrize(
    ("other", "given"),
    [
        (configuration(batch=64), "batch 32 per rank, in B 64"),
        (configuration(device="mps"), "it runs on cpu, in B on mps"),
        (configuration(cores=4), "1 cores per rank, in B 4"),
    ],
)
def test_a_row_that_is_not_alike_has_no_partner_and_the_reason_is_told(other, given):
    found = compare(side(), side({other: around(1000)}, name="B"), 0.02)
    assert found.rows == ()
    assert not found.comparable
    assert any(text.endswith(given) for text in found.unmatched)


def test_only_rows_that_both_have_are_compared():
    a = side({SINGLE: around(1000), DDP2: around(1800, seed=1)})
    found = compare(a, side(name="B"), 0.02)
    assert {each.configuration.key for each in found.rows} == {SINGLE.key}
    assert found.unmatched == (f"{DDP2.key} of A has no partner: B has no such row",)


def test_efficiency_is_each_sides_own_and_compared_over_rounds():
    a = side({SINGLE: around(1000), DDP2: around(1900, seed=1)})
    b = side({SINGLE: around(2000, seed=2), DDP2: around(3000, seed=3)}, name="B")
    found = compare(a, b, 0.02)
    its = row(found, EFFICIENCY, DDP2)
    assert (its.a.estimate, its.b.estimate) == (pytest.approx(0.95), pytest.approx(0.75))
    assert its.ratio.estimate == pytest.approx(0.75 / 0.95)
    assert its.verdict.word == LOWER
    assert word(found, its=DDP2) == FASTER
    assert [each.configuration.key for each in found.rows if each.metric == EFFICIENCY] == [DDP2.key]


def test_an_invalid_row_gives_no_ratio_and_costs_no_other_row():
    a = side({SINGLE: around(1000), DDP2: around(1900, seed=1)})
    rates = {SINGLE: around(1000, seed=2), DDP2: around(1900, seed=3)}
    b = side(rates, name="B", broken=(DDP2, {"weights_equal": False}))
    found = compare(a, b, 0.02)
    its = row(found, its=DDP2)
    assert its.verdict.word == INVALID
    assert its.ratio is None
    assert "B: the ranks ended with different weights" in its.verdict.reasons[0]
    assert word(found) == EQUIVALENT
    assert len([each for each in found.rows if each.configuration.key == DDP2.key]) == 1


def test_more_memory_is_higher_not_slower():
    found = compare(side(), side(name="B", launches_changed={"peak_memory_bytes": 2**29}), 0.02)
    assert word(found, MEMORY) == HIGHER
    assert row(found, MEMORY).ratio.estimate == pytest.approx(2)


def test_energy_is_absent_until_somebody_measures_it():
    its = row(compare(side(), side(name="B"), 0.02), ENERGY)
    assert (its.a, its.b, its.ratio, its.verdict) == (None, None, None, None)
    assert its.reasons == ("not measured by A and B",)
    measured = {"energy_j": 128.0, "window_samples": 1280}
    half = row(compare(side(launches_changed=measured), side(name="B"), 0.02), ENERGY)
    assert half.a.estimate == pytest.approx(0.1)
    assert (half.b, half.ratio) == (None, None)


def test_the_same_seed_gives_the_same_loss_or_has_diverged():
    same = row(compare(side(), side(name="B"), 0.02), LOSS)
    assert same.verdict.word == EQUIVALENT
    assert same.verdict.reasons == ("the same to the last bit in all 12 launches",)
    other = row(compare(side(), side(name="B", launches_changed={"loss_last": 1.3}), 0.02), LOSS)
    assert other.verdict.word == DIVERGED
    near = row(compare(side(), side(name="B", launches_changed={"loss_last": 1.1001}), 0.02), LOSS)
    assert near.verdict.word == EQUIVALENT


@pytest.mark.parametrize(
    ("workload", "given"),
    [({"seed": 1}, "seed 0 against 1"), ({"steps": None, "seconds": 6.0}, "the window is a time")],
)
def test_losses_of_other_seeds_or_unequal_steps_are_not_compared(workload, given):
    a = side(workload={**workload, "seed": 0})
    found = row(compare(a, side(name="B", workload=workload), 0.02), LOSS)
    assert (found.a, found.ratio, found.verdict) == (None, None, None)
    assert found.reasons[0].startswith(given)


def accuracies(a, b):
    operands = [
        side(name=name, workload={"steps": None, "epochs": 8}, accuracy={SINGLE.key: dict(enumerate(values))})
        for name, values in (("A", a), ("B", b))
    ]
    return row(compare(*operands, 0.02), ACCURACY)


@pytest.mark.parametrize(
    ("b", "expected"),
    [
        ((0.901, 0.899, 0.900, 0.902, 0.898), EQUIVALENT),
        ((0.851, 0.849, 0.850, 0.852, 0.848), DIVERGED),
        ((0.90, 0.93, 0.87, 0.92, 0.89), INCONCLUSIVE),
        ((0.900, 0.901, 0.899, 0.900), INCONCLUSIVE),
    ],
)
def test_accuracy_is_judged_over_seeds_and_needs_five(b, expected):
    its = accuracies((0.900, 0.901, 0.899, 0.902, 0.898), b)
    assert its.verdict.word == expected
    assert its.ratio is None
    assert its.difference.estimate == pytest.approx(sum(b) / len(b) - 0.9)
    if len(b) < 5:
        assert "4 seeds a side" in its.verdict.reasons[0]


def test_rows_of_one_study_are_paired_by_round():
    drifting = [1000, 900, 800, 700, 600, 500]
    rates = {SINGLE: drifting, DDP2: [1.8 * each for each in drifting]}
    a, b = (side(rates, name="A", study_id="one", configuration=its.key) for its in (SINGLE, DDP2))
    found = compare(a, b, 0.02)
    its = row(found, its=DDP2)
    assert its.ratio.estimate == pytest.approx(1.8)
    assert its.ratio.high - its.ratio.low < 0.01
    assert its.verdict.word == FASTER
    assert "paired by round" in found.notes[0]
    assert found.dna == ()


def test_one_launch_against_another_is_told_without_a_verdict():
    a, b = (side(study_id="one", launch_id=f"s1.r{number}p0") for number in (0, 1))
    its = row(compare(a, b, 0.02))
    assert its.verdict.word == INCONCLUSIVE
    assert (its.ratio.n, its.ratio.low) == (1, None)


def test_two_machines_are_a_statement_about_these_two_boxes():
    found = compare(side(), side(name="B", launches_changed={"hw_id": "another"}), 0.02)
    assert found.same_machine is False
    assert "these two boxes" in found.notes[0]
    again = compare(side(), side(name="B"), 0.02)
    assert again.same_machine is True
    assert "The same machine at two times" in again.notes[0]


def noisy(spread):
    return Noise(spread=spread, pair_spread=1.41 * spread, dof=23, pair_dof=12, source="aa, 24 launches")


def test_a_machine_that_is_known_to_be_noisier_softens_a_lucky_verdict():
    a, b = {SINGLE: around(1000, cv=0.001)}, {SINGLE: around(970, cv=0.001, seed=1)}
    sure = row(compare(side(a), side(b, name="B"), 0.02)).verdict
    assert sure.word == SLOWER
    known = {SINGLE.key: noisy(0.05)}
    soft = row(compare(side(a, noise=known), side(b, name="B", noise=known), 0.02)).verdict
    assert soft.word == INCONCLUSIVE
    assert "narrower than this machine's own spread" in soft.reasons[-1]
    assert "aa, 24 launches" in soft.reasons[-1]
    assert soft.rounds_needed > 60


def test_a_verdict_that_holds_with_the_calibrated_spread_stays_and_is_flagged():
    known = {SINGLE.key: noisy(0.02)}
    a, b = side(noise=known), side({SINGLE: around(800, seed=1)}, name="B", noise=known)
    its = row(compare(a, b, 0.02)).verdict
    assert its.word == SLOWER
    assert "narrower than this machine's own spread" in its.reasons[-1]


def test_a_calibration_never_makes_a_verdict_surer():
    noise = {SINGLE.key: noisy(1e-6)}
    loud = {SINGLE: around(1000, cv=0.05)}, {SINGLE: around(970, cv=0.05, seed=1)}
    plain = compare(side(loud[0]), side(loud[1], name="B"), 0.02)
    known = compare(side(loud[0], noise=noise), side(loud[1], name="B", noise=noise), 0.02)
    assert row(plain) == row(known)


def test_rows_of_one_study_are_softened_by_the_spread_within_pairs():
    rates = {SINGLE: around(1000, cv=0.001), DDP2: around(1030, cv=0.001)}
    a, b = (
        side(rates, study_id="one", configuration=its.key, noise={SINGLE.key: noisy(0.05)}) for its in (SINGLE, DDP2)
    )
    assert word(compare(a, b, 0.02), its=DDP2) == INCONCLUSIVE


def test_fingerprints_come_first_what_can_change_numbers_at_the_top():
    layers = {
        "identity": {**IDENTITY, "memory_gib": 32},
        "software": {**SOFTWARE, "torch": "2.16.0", "scaling-bench": "0.2.0"},
        "conditions": {**CONDITIONS, "load_1m": 3.0},
    }
    found = compare(side(), side(name="B", layers=layers, launches_changed={"threads_per_rank": 2}), 0.02)
    assert [(each.field, each.effect) for each in found.dna] == [
        ("launch.single-cpu-1x1.threads_per_rank", "numbers"),
        ("software.torch", "numbers"),
        ("identity.memory_gib", "speed"),
        ("software.scaling-bench", "cosmetic"),
    ]
    torch = found.dna[1]
    assert (torch.a, torch.b) == ("2.15.0", "2.16.0")


def test_a_suspect_row_gets_no_verdict_on_times_and_the_reason_is_told():
    found = compare(side(), side({SINGLE: around(800)}, name="B", launches_changed={"loss_finite": None}), 0.02)
    its = row(found)
    assert its.verdict.word == INCONCLUSIVE
    assert its.verdict.reasons[0].startswith("B is suspect: nothing proves that it trained")
    assert its.ratio.estimate == pytest.approx(0.8)
    assert word(found, MEMORY) == EQUIVALENT


@pytest.mark.parametrize("shared", ["A", "B"])
def test_a_row_beside_another_study_gets_no_verdict_on_times(shared):
    beside = {"warnings": (SHARED_HOST,)}
    a = side(launches_changed=beside if shared == "A" else None)
    b = side({SINGLE: around(800)}, name="B", launches_changed=beside if shared == "B" else None)
    its = row(compare(a, b, 0.02))
    assert its.verdict.word == INCONCLUSIVE
    assert its.verdict.reasons[0] == f"{shared} is suspect: {SHARED_HOST} (in 6 of 6 launches)"
    assert not its.verdict.beyond_margin


@pytest.mark.parametrize(("share", "expected"), [(None, SLOWER), (0.01, SLOWER), (0.6, INCONCLUSIVE)])
def test_a_row_whose_cores_others_used_gets_no_verdict_on_times(share, expected):
    busy = side({SINGLE: around(800)}, name="B", launches_changed={"others_share": share})
    its = row(compare(side(), busy, 0.02)).verdict
    assert its.word == expected
    assert ("B is suspect: other programs took 60%" in its.reasons[0]) == (expected == INCONCLUSIVE)


def test_a_row_that_was_refused_for_noise_alone_is_inconclusive():
    missed = side(name="B", launches_changed={"closure_error": 0.0046})
    assert missed.study.rows[0].verdict.word == INVALID
    its = row(compare(side(), missed, 0.02))
    assert its.verdict.word == INCONCLUSIVE
    assert its.ratio is None
    both = side(name="B", launches_changed={"closure_error": 0.0046, "weights_moved": False})
    assert word(compare(side(), both, 0.02)) == INVALID


def test_values_that_never_vary_are_shown_without_a_trace_of_rounding():
    its = row(compare(side(launches_changed={"loss_last": 2.20486068725586}), side(name="B"), 0.02), LOSS)
    assert (its.a.estimate, its.a.low, its.a.high) == (2.20486068725586,) * 3
    assert its.ratio.low == its.ratio.high == 1.1 / 2.20486068725586
