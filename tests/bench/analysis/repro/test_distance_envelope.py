"""The envelope, the causes, and the check of N ranks against one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bench.analysis.repro import agree, distance
from bench.repro.capsule import Envelope
from tests.bench.analysis.repro.capsule_fakes import CONDITIONS, STEPS, a_run, fact

SHARES = some.lists(some.floats(0, 0.1), min_size=1, max_size=5)


@given(SHARES)
def test_every_perturbed_run_is_inside_its_own_envelope(shares):
    perturbed = {str(index): (a_run(loss=share, weights=share),) for index, share in enumerate(shares)}
    measured = distance.measured((a_run(),), perturbed, "fp32")
    assert all(distance.escape(a_run(), each, measured) is None for (each,) in perturbed.values())


@given(SHARES)
def test_the_envelope_never_narrows_and_never_falls_below_the_floor(shares):
    perturbed = {str(index): (a_run(loss=share, weights=share),) for index, share in enumerate(shares)}
    measured = distance.measured((a_run(),), perturbed, "fp32")
    weights = [measured.weights[step] for step in sorted(measured.weights)]
    for curve, floor in ((measured.loss, distance.FLOOR["fp32"]), (weights, distance.WEIGHTS_FLOOR)):
        assert list(curve) == sorted(curve)
        assert min(curve) >= floor
    assert len(measured.loss) == STEPS


def test_more_than_twice_as_far_as_any_perturbed_run_is_outside():
    measured = distance.measured((a_run(),), {"one": (a_run(loss=1e-3, weights=1e-3),)}, "fp32")
    assert distance.escape(a_run(), a_run(loss=1.9e-3, weights=1.9e-3), measured) is None
    escaped = distance.escape(a_run(), a_run(loss=2.1e-3), measured)
    assert (escaped.what, escaped.step) == ("loss", 0)


def test_the_rank_that_drifts_most_decides():
    measured = distance.measured((a_run(), a_run()), {"one": (a_run(), a_run(loss=1e-3))}, "fp32")
    assert measured.loss[0] == pytest.approx(2e-3)


def test_luck_that_brings_a_curve_back_to_zero_does_not_narrow_the_envelope():
    jump = [2.0 / (step + 1) * (1 + 1e-3 * (step == 3)) for step in range(STEPS)]
    perturbed = replace(a_run(), losses=tuple(each.hex() for each in jump))
    measured = distance.measured((a_run(),), {"one": (perturbed,)}, "fp32")
    assert measured.loss[2] == distance.FLOOR["fp32"]
    assert all(each == pytest.approx(2e-3) for each in measured.loss[3:])


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"threads": 2}, "another number of threads: 1 there, 2 here"),
        ({"cpu_capability": "AVX2"}, "another instruction set: AVX512 there, AVX2 here"),
        ({"variables": {"MKL_CBWR": "AVX2"}}, "another instruction set: AVX512 there, AVX512 with MKL_CBWR=AVX2 here"),
        ({"versions": {"torch": "2.14.0"}}, "another version of torch: 2.15.0 there, 2.14.0 here"),
        ({"device": "cuda", "threads": 8}, "another kind of device: cpu there, cuda here"),
        ({"buckets": {"bucket_sizes": "1"}}, "gradients are reduced in other portions"),
        ({"num_id": "b"}, "the two machines compute the same operations with other bits (num_id differs)"),
        ({"hw_id": "b"}, "other hardware (hw_id differs)"),
    ],
)
def test_the_cause_is_what_differs_between_the_machines(changed, found):
    ids = {"hw_id": "a", "sw_id": "a", "num_id": "a"}
    first = fact("forward", 0, "0", [1.0], kind="Conv2d")
    said = agree.cause(first, {**CONDITIONS, **ids}, {**CONDITIONS, **ids, **changed}, rounding=True)
    assert said == f"{found} (first seen in the kernel of Conv2d in module 0)"


def test_threads_are_not_blamed_for_other_samples():
    first = fact("indices", 0, "samples", [1.0], floats=False)
    said = agree.cause(first, CONDITIONS, {**CONDITIONS, "threads": 2}, rounding=False)
    assert "threads" not in said


def test_another_torch_may_draw_other_weights():
    first = fact("init", 0, "0.weight", [1.0])
    said = agree.cause(first, CONDITIONS, {**CONDITIONS, "versions": {"torch": "2.14.0"}}, rounding=False)
    assert "seed" in said
    assert "version of torch" in said


def gradients(stage: str, values, world_size: int = 1):
    facts = (fact(stage, 0, "a.weight", values), fact(stage, 0, "b.weight", [1.0, 2.0]))
    return replace(a_run(), conditions={**CONDITIONS, "world_size": world_size}, facts=facts)


LOCAL = gradients("local gradient", [1.0, 0.5])


@pytest.mark.parametrize("ranks", [2, 3, 8])
def test_ranks_that_divide_wrongly_are_found_and_those_that_round_are_not(ranks):
    rounded = gradients("reduced gradient", [1.0 + 2**-22, 0.5], ranks)
    assert distance.check_ranks(LOCAL, LOCAL, rounded).agrees
    wrong = gradients("reduced gradient", np.float32([1.0, 0.5]) * ranks / (ranks + 1), ranks)
    found = distance.check_ranks(LOCAL, LOCAL, wrong)
    assert not found.agrees
    assert (found.tensor, found.ranks) == ("a.weight", ranks)


def test_the_bound_follows_how_the_sum_itself_rounds():
    backwards = gradients("local gradient", [1.0 + 2**-16, 0.5])  # 128 scaled ulp
    rounded = gradients("reduced gradient", [1.0 + 2**-15, 0.5], 2)  # 256
    assert not distance.check_ranks(LOCAL, LOCAL, rounded).agrees
    assert distance.check_ranks(LOCAL, backwards, rounded).agrees
    assert distance.check_ranks(LOCAL, backwards, rounded).bound == pytest.approx(256, rel=1e-3)


def test_a_gradient_that_is_not_finite_does_not_agree():
    assert not distance.check_ranks(LOCAL, LOCAL, gradients("reduced gradient", [np.inf, 0.5], 2)).agrees


def test_gradients_of_other_parameters_are_an_error_not_an_agreement():
    with pytest.raises(ValueError, match="other parameters"):
        distance.check_ranks(LOCAL, LOCAL, a_run())


@pytest.mark.parametrize(("where", "ieee", "tf32"), [("envelope", 8, 1), ("envelope_other_device", None, 1)])
def test_an_h100_in_ieee_fp32_is_no_further_from_a_cpu_than_rounding_and_in_tf32_it_is(where, ieee, tf32):
    # Recorded on an H100, which this machine lacks: once as it should be, once before cuDNN was told not to use TF32.
    recorded = json.loads((Path(__file__).parent / "recordings" / "lenet_h100.json").read_text())
    allowed = Envelope(loss=tuple(recorded[where]), weights={}, runs=())

    def left_at(curve):
        cpu, h100 = (replace(a_run(), facts=(), losses=tuple(x.hex() for x in found)) for found in ([1.0] * 50, curve))
        escaped = distance.escape(cpu, h100, allowed)
        return escaped and escaped.step

    assert left_at([1 + each for each in recorded["ieee"]]) == ieee
    assert left_at([1 + each for each in recorded["tf32_in_cudnn"]]) == tf32
