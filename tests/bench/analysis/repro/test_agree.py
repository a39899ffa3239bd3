"""Two capsules in, a verdict out: the ladder, the first difference, and what is never said."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bench.analysis.repro import agree
from bench.analysis.repro.nouns import BITWISE, DIFFERENT, INCONCLUSIVE, NOT_COMPARABLE, NUMERICS, STATISTICS
from bench.repro.capsule import STAGES
from tests.bench.analysis.repro.capsule_fakes import a_capsule, a_run

ROUNDING, MUCH = 1e-6, 1e-2


def judged(**changed):
    return agree.judge(a_capsule(), a_capsule(a_run(**changed)))


def test_the_same_bits_are_bitwise_with_nothing_to_explain():
    found = judged()
    assert (found.verdict, found.first_difference, found.cause) == (BITWISE, None, "")
    assert found.curve == tuple((step, 0.0) for step in range(8))


@pytest.mark.parametrize(
    ("changed", "stage", "cause"),
    [
        ("indices", "indices", "data pipeline"),
        ("raw", "raw batch", "decoder"),
        ("augmented", "augmented batch", "augmentation"),
        ("init", "init", "seed"),
        ("random", "random state", "random numbers"),
    ],
)
def test_another_beginning_is_different_however_alike_the_losses_are(changed, stage, cause):
    found = judged(**{changed: MUCH, "forward": ROUNDING})
    assert found.verdict == DIFFERENT
    assert found.first_difference.stage == stage
    assert cause in found.cause


@pytest.mark.parametrize(
    ("changed", "stage", "cause"),
    [
        ("forward", "forward", "kernel of Conv2d in module 0"),
        ("forward_1", "forward", "kernel of Linear in module 1"),
        ("local", "local gradient", "backward kernel"),
        ("reduced", "reduced gradient", "order in which the ranks' gradients are added"),
        ("weights", "weights", "optimizer"),
        ("weights_from_2", "weights", "optimizer"),
        ("loss", "loss", "loss function"),
    ],
)
def test_rounding_inside_the_envelope_is_equivalent_and_the_first_tensor_is_named(changed, stage, cause):
    found = judged(**{changed: ROUNDING})
    assert found.verdict == NUMERICS
    assert found.first_difference.stage == stage
    assert cause in found.cause


def test_the_earliest_stage_is_the_first_difference():
    found = judged(weights=ROUNDING, local=ROUNDING, forward_1=ROUNDING, loss=ROUNDING)
    assert (found.first_difference.stage, found.first_difference.tensor) == ("forward", "1")


def test_a_normalisation_that_rounds_otherwise_is_not_another_augmentation():
    found = judged(augmented=2**-23, forward=ROUNDING)
    assert found.verdict == NUMERICS
    assert found.first_difference.stage == "augmented batch"


def test_a_first_weight_that_was_not_kept_cannot_change_unseen():
    run = a_run()
    moved = [replace(each, hash="00", total=each.total + 0.5) if each.stage == "init" else each for each in run.facts]
    found = agree.judge(a_capsule(), a_capsule(replace(run, facts=tuple(moved))))
    assert (found.verdict, found.first_difference.stage) == (DIFFERENT, "init")


def test_leaving_the_envelope_once_is_different_and_says_where():
    found = judged(weights_from_2=1e-3)
    assert found.verdict == DIFFERENT
    assert "weights after step 2" in found.reasons[0]


def test_another_kind_of_device_may_go_as_far_as_its_own_envelope_and_no_further():
    wide = a_capsule(allowed=1e-3).envelope
    reference = replace(a_capsule(), envelope_other_device=wide)
    here = a_run(weights_from_2=5e-4)
    assert agree.judge(reference, a_capsule(here)).verdict == DIFFERENT
    assert agree.judge(reference, a_capsule(here, device="cuda")).verdict == NUMERICS
    assert agree.judge(reference, a_capsule(a_run(weights_from_2=2e-3), device="cuda")).verdict == DIFFERENT


def test_two_models_of_gpu_are_two_kinds_of_device():
    reference = replace(
        a_capsule(device="cuda", device_name="A100"), envelope_other_device=a_capsule(allowed=1e-3).envelope
    )
    here = a_run(weights_from_2=5e-4)
    assert agree.judge(reference, a_capsule(here, device="cuda", device_name="A100")).verdict == DIFFERENT
    assert agree.judge(reference, a_capsule(here, device="cuda", device_name="H100")).verdict == NUMERICS


def test_a_capsule_from_before_there_were_two_envelopes_is_judged_by_its_one():
    assert agree.judge(a_capsule(), a_capsule(a_run(weights_from_2=5e-4), device="cuda")).verdict == DIFFERENT


def test_a_loss_that_is_no_number_here_is_different():
    broken = replace(a_run(), losses=(*a_run().losses[:-1], float("nan").hex()))
    assert agree.judge(a_capsule(), a_capsule(broken)).verdict == DIFFERENT


def test_without_an_envelope_nothing_but_bitwise_can_be_said():
    reference = a_capsule(allowed=None)
    assert agree.judge(reference, a_capsule()).verdict == BITWISE
    assert agree.judge(reference, a_capsule(a_run(loss=ROUNDING))).verdict == INCONCLUSIVE


@pytest.mark.parametrize("what", ["workload", "steps", "tensors", "batch"])
def test_what_is_not_the_same_run_is_not_comparable(what):
    here = a_capsule()
    part, repro_run = here.parts[0], here.repro_run
    if what == "workload":
        here = replace(here, repro_run=replace(repro_run, workload=replace(repro_run.workload, precision="bf16")))
    elif what == "batch":
        row = replace(repro_run.configuration, batch_global=16)
        here = replace(here, repro_run=replace(repro_run, configuration=row))
    elif what == "steps":
        here = replace(here, parts=(replace(part, losses=part.losses[:-1]),))
    else:
        here = replace(here, parts=(replace(part, facts=part.facts[:-1]),))
    found = agree.judge(a_capsule(), here)
    assert found.verdict == NOT_COMPARABLE
    assert found.first_difference is None
    assert len(found.reasons) == 1


def test_another_place_of_the_data_is_no_other_workload():
    here = a_capsule()
    moved = replace(here.repro_run, workload=replace(here.repro_run.workload, data_dir="/data"))
    assert agree.judge(a_capsule(), replace(here, repro_run=moved)).verdict == BITWISE


def over_seeds(here: dict[int, float] | None, seeds: int = 5):
    reference = a_capsule(finals={seed: 0.90 + 0.001 * seed for seed in range(seeds)})
    other = a_capsule(a_run(indices=MUCH), finals=here)
    return agree.judge(reference, other)


def test_other_numbers_that_learn_as_well_are_equivalent_over_five_seeds():
    assert over_seeds({seed: 0.90 + 0.0011 * seed for seed in range(5)}).verdict == STATISTICS


def test_what_learns_worse_is_different():
    assert over_seeds({seed: 0.80 + 0.001 * seed for seed in range(5)}).verdict == DIFFERENT


def test_three_seeds_say_nothing():
    assert over_seeds(dict.fromkeys(range(3), 0.9), seeds=3).verdict == INCONCLUSIVE


def test_seeds_are_asked_for_only_where_they_decide():
    reference = a_capsule(finals=dict.fromkeys(range(5), 0.9))
    different, same = (agree.judge(reference, a_capsule(a_run(indices=move))) for move in (MUCH, 0.0))
    assert agree.wants_seeds(different, reference)
    assert not agree.wants_seeds(same, reference)
    assert not agree.wants_seeds(judged(indices=MUCH), a_capsule())


LADDER = (BITWISE, NUMERICS, DIFFERENT)


@given(
    stage=some.sampled_from(["forward", "local", "reduced", "weights", "weights_from_2", "loss", "augmented", "init"]),
    small=some.floats(0, 1e-2),
    factor=some.floats(1, 1e3),
)
def test_the_further_off_the_lower_on_the_ladder(stage, small, factor):
    near, far = (judged(**{stage: size}).verdict for size in (small, small * factor))
    assert LADDER.index(near) <= LADDER.index(far)


@given(some.sampled_from(["indices", "raw", "augmented", "init", "forward", "local", "reduced", "weights", "loss"]))
def test_the_first_difference_does_not_depend_on_what_follows(stage):
    names = ("indices", "raw", "augmented", "init", "forward", "local", "reduced", "weights", "loss")
    later = dict.fromkeys(names[names.index(stage) :], MUCH)
    single, among = judged(**{stage: MUCH}).first_difference, judged(**later).first_difference
    # The loss of step 0 is older than the weights that it leads to.
    expected = "loss" if stage == "weights" else single.stage
    assert among.stage == expected
    assert among.stage in STAGES
