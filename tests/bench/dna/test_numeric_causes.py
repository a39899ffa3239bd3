"""Which canaries differ tells why. The patterns are those seen on a CPU with AVX-512, one thing switched at a time."""

import pytest

from bench.dna.canaries import EVERYWHERE, RANDOM
from bench.dna.numeric_causes import MEASURED, PATTERNS, PUBLISHED, diagnose

NAMES = [*EVERYWHERE, *RANDOM]


def numbers(differ=(), threads=2, at_threads=(), **changes):
    single = {name: "other" if name in differ else "same" for name in NAMES}
    together = {name: "other" if name in (*differ, *at_threads) else "same" for name in NAMES}
    document = {"method": 1, "threads": threads, "capability": "AVX512", "variables": {}}
    document |= {"libraries": {"mkl": "2024.2", "onednn": "v3.13"}, "one_thread": single, "all_threads": together}
    return document | changes


def causes(a, b, fields=()):
    return {cause.text.partition(" (")[0]: cause for cause in diagnose(a, b, fields).causes}


# As measured: what was switched, which canaries changed at one thread, the beginning of the cause.
SWITCHED = [
    ("ATEN_CPU_CAPABILITY=avx2", ["softmax"], "ATen chose kernels of another vector width"),
    (
        "ATEN_CPU_CAPABILITY=default",
        ["sigmoid", "softmax", "layer_norm", "batch_norm", "batch_norm_dx", "randn", "linear_init"],
        "ATen chose kernels without vector instructions on one side",
    ),
    ("ONEDNN_MAX_CPU_ISA=AVX2", ["mm_bf16", "conv", "conv_dx", "conv_bf16"], "oneDNN chose kernels of another"),
    ("MKL_CBWR=AVX2", ["mv"], "MKL took another code path in its products"),
    ("MKL_CBWR=COMPATIBLE", ["mm", "mm_k4096", "mv", "bmm", "linear"], "MKL took another code path in its products"),
]


@pytest.mark.parametrize(("switch", "differ", "expected"), SWITCHED, ids=[each[0] for each in SWITCHED])
def test_one_thing_switched_is_the_one_cause(switch, differ, expected):
    variable, value = switch.split("=")
    (cause,) = diagnose(numbers(), numbers(differ, variables={variable: value})).causes
    assert cause.text.startswith(expected)
    assert cause.text.endswith(f"{variable} is not set on A, {value} on B")
    assert set(cause.canaries) == set(differ)
    assert cause.evidence == MEASURED


def test_three_things_switched_are_three_causes():
    differ = ["mm_bf16", "mv", "conv", "conv_dx", "conv_bf16", "softmax"]
    found = diagnose(numbers(), numbers(differ, capability="AVX2")).causes
    assert [cause.text.split()[0] for cause in found] == ["oneDNN", "ATen", "MKL"]
    assert "A ran AVX512, B AVX2" in found[1].text
    assert sorted(name for cause in found for name in cause.canaries) == sorted(differ)


def test_bf16_products_alone_are_amx_as_others_have_found():
    (cause,) = diagnose(numbers(), numbers(["mm_bf16"])).causes
    assert "AMX" in cause.text
    assert cause.evidence == PUBLISHED


def test_elementwise_functions_and_products_together_are_one_path_of_mkl():
    (cause,) = diagnose(numbers(), numbers(["exp", "tanh", "erf", "sqrt_div", "mv", "mm_k4096"])).causes
    assert "elementwise functions" in cause.text
    assert cause.evidence == PUBLISHED


def test_what_differs_with_the_threads_only_is_the_thread_count():
    found = diagnose(numbers(threads=1), numbers(threads=2, at_threads=["sum_1m", "conv_dw", "sigmoid"]))
    assert found.one_thread == ()
    (cause,) = found.causes
    assert cause.text == "the thread count: long sums are cut into 1 parts on A, 2 on B"
    assert set(cause.canaries) == {"sum_1m", "conv_dw", "sigmoid"}
    (cause,) = diagnose(numbers(), numbers(at_threads=["sum_1m"])).causes
    assert "the same 2 threads" in cause.text


def test_what_differs_with_the_threads_too_has_the_same_cause_where_it_fits():
    (cause,) = diagnose(numbers(), numbers(["conv", "conv_dx"], at_threads=["conv_dw"])).causes
    assert set(cause.canaries) == {"conv", "conv_dx", "conv_dw"}
    first, second = diagnose(numbers(), numbers(["conv"], threads=3, at_threads=["conv_dw"])).causes
    assert (first.canaries, second.canaries) == (("conv",), ("conv_dw",))
    assert second.text.startswith("the thread count")


def test_another_version_of_the_library_is_told_beside_its_cause():
    (cause,) = diagnose(numbers(), numbers(["conv"], libraries={"mkl": "2024.2", "onednn": "v4.0"})).causes
    assert cause.text.endswith("or its version: v3.13 on A, v4.0 on B")


def test_another_architecture_is_the_cause_of_everything():
    (cause,) = diagnose(numbers(), numbers(["conv", "softmax", "mv"]), {"identity.cpu_architecture"}).causes
    assert "architecture" in cause.text


def test_what_no_pattern_knows_is_said_to_be_unknown_or_torchs():
    assert list(causes(numbers(), numbers(["cumsum"]))) == ["no known pattern"]
    assert list(causes(numbers(), numbers(["cumsum"]), {"software.torch"})) == ["the version of torch differs"]


def test_equal_numbers_have_no_cause():
    found = diagnose(numbers(), numbers())
    assert (found.obstacle, found.one_thread, found.all_threads, found.causes) == (None, (), (), ())


def test_a_canary_that_ran_on_one_side_only_differs():
    b = numbers()
    del b["one_thread"]["mm_bf16"]
    assert diagnose(numbers(), b).one_thread == ("mm_bf16",)


@pytest.mark.parametrize(
    ("a", "b", "obstacle"),
    [
        (None, numbers(), "A has no canaries"),
        (numbers(), None, "B has no canaries"),
        (numbers(), numbers(method=2), "the canaries are of two versions"),
    ],
)
def test_what_cannot_be_held_against_each_other_is_said(a, b, obstacle):
    found = diagnose(a, b)
    assert found.obstacle.startswith(obstacle)
    assert found.causes == ()


def test_the_patterns_speak_of_canaries_that_there_are():
    for pattern in PATTERNS:
        assert pattern.marks | pattern.others | pattern.unless <= set(NAMES)
