"""The canary operations: the same inputs everywhere, hashed bit by bit, compared with float64."""

import hashlib
import math
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch

from bench.dna import canaries, numbers, numeric
from bench.dna.canaries import ACCELERATORS, EVERYWHERE, RANDOM, Canary

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def splitmix64(count, stream):
    """The generator in plain Python integers, which know no width."""
    mask = 2**64 - 1
    for number in range(1, count + 1):
        word = (number + stream * 2**32 + 20260101) * 0x9E3779B97F4A7C15 & mask
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & mask
        word = (word ^ word >> 27) * 0x94D049BB133111EB & mask
        yield word ^ word >> 31


@pytest.mark.parametrize("stream", [0, 3])
def test_the_integers_are_those_of_the_published_mix(stream):
    assert canaries.integers(1000, stream).tolist() == list(splitmix64(1000, stream))


def test_inputs_are_exact_and_fill_their_range():
    for positive, low in ((False, -1.0), (True, 0.0)):
        (made,) = canaries.inputs(Canary(shapes=((10_000,),), run=torch.sum, positive=positive))
        steps = made.double() * 2**24
        assert torch.equal(steps, steps.round())
        assert low <= made.min() < low + 0.01
        assert 0.99 < made.max() <= 1.0
    assert made.min() > 0, "roots and quotients"


def test_a_digest_is_over_type_shape_and_little_endian_bytes():
    found = hashlib.blake2b(b"torch.float32 (3,)\n" + struct.pack("<3f", 1.0, -2.0, 0.5)).hexdigest()[:16]
    tensor = torch.tensor([1.0, -2.0, 0.5])
    assert numeric.digest(tensor) == found
    assert numeric.digest(tensor[:, None]) != found
    assert numeric.digest(tensor.view(torch.int32)) != found
    assert numeric.digest(torch.tensor([1.0, 9.0, -2.0, 9.0, 0.5])[::2]) == found, "however it lies in memory"


def test_one_bit_is_another_digest_even_in_a_nan():
    one, other = (torch.from_numpy(np.array([bits], np.uint32).view(np.float32)) for bits in (0x7FC00000, 0x7FC00001))
    assert numeric.digest(one) != numeric.digest(other)
    assert numeric.digest(torch.tensor([0.0])) != numeric.digest(torch.tensor([-0.0]))


def test_the_distance_is_in_units_of_the_largest_elements_last_place():
    eps = torch.finfo(torch.float32).eps
    reference = torch.tensor([1e-9, 4.0], dtype=torch.float64)
    assert numeric.distance_ulp(torch.tensor([1e-9, 4.0 + 8 * eps]), reference) == 2.0
    assert numeric.distance_ulp(torch.tensor([0.0, 4.0]), reference) < 0.01, "an element of next to nothing"
    assert numeric.distance_ulp(torch.tensor([math.nan, 4.0]), reference) == math.inf


def test_every_canary_runs_repeats_itself_and_is_close_to_float64():
    both = {**EVERYWHERE, **ACCELERATORS}
    facts = numeric.Runner().on(CPU, both, repeats=2)
    assert facts["failed"] == {}
    assert facts["unstable"] == []
    assert list(facts["digests"]) == [*both, *RANDOM]
    assert len(EVERYWHERE) + len(RANDOM) >= 30
    assert list(facts["ulp"]) == list(both)
    assert max(facts["ulp"].values()) < 100
    assert numeric.Runner().on(CPU, both)["digests"] == facts["digests"]


def test_a_canary_that_does_not_repeat_itself_is_named():
    calls = []

    def restless(x):
        calls.append(x)
        return x + (len(calls) == 20)

    found = {"restless": Canary(shapes=((3,),), run=restless), "mm": EVERYWHERE["mm"]}
    assert numeric.Runner().on(CPU, found, repeats=20)["unstable"] == ["restless"]
    assert numeric.Runner().on(CPU, found, repeats=20)["unstable"] == [], "the 20th call is over"


def test_a_canary_that_does_not_run_or_is_not_finite_costs_itself_only():
    def broken(x):
        raise RuntimeError("no such kernel in /opt/somebody/lib\nand more")

    found = {
        "broken": Canary(shapes=((3,),), run=broken),
        "endless": Canary(shapes=((3,),), run=lambda x: x / 0.0),
        "mm": EVERYWHERE["mm"],
    }
    facts = numeric.Runner().on(CPU, found)
    assert facts["failed"] == {"broken": "no such kernel in …", "endless": "the result is not finite"}
    assert {"endless", "mm"} <= set(facts["digests"])
    assert "mm" in facts["ulp"]


def test_the_identity_is_the_hash_of_the_digests_at_one_thread():
    document = {"one_thread": {"sum": "00ff", "exp": "0123"}, "all_threads": {"sum": "11"}, "threads": 2}
    text = b'{"exp":"0123","sum":"00ff"}'
    assert numbers.num_id(document) == hashlib.blake2b(text).hexdigest()[:16]
    assert numbers.num_id(document | {"all_threads": {}, "threads": 9}) == numbers.num_id(document)
    assert numbers.num_id(document | {"one_thread": {"sum": "00ff"}}) != numbers.num_id(document)


def test_a_gradient_is_what_autograd_gives_bit_for_bit_without_the_imports_that_it_would_take():
    script = """
import sys, torch
from bench.dna import canaries
for name in ("conv_dx", "conv_dw", "batch_norm_dx"):
    before = len(sys.modules)
    *arguments, above = canaries.inputs(canaries.EVERYWHERE[name])
    found = canaries.EVERYWHERE[name].run(*arguments, above)
    assert len(sys.modules) - before < 50, "sympy and its like are 500 modules"
    of = 1 if name == "conv_dw" else 0
    arguments[of] = arguments[of].requires_grad_()
    forward = canaries._batch_norm if name == "batch_norm_dx" else canaries._conv
    assert torch.equal(found, torch.autograd.grad(forward(*arguments), arguments[of], above)[0])
"""
    subprocess.run([sys.executable, "-c", script], check=True)
