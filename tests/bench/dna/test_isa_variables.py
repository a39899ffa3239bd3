"""One thing switched on this CPU: the canaries see it, and the diagnosis names it. Real processes, one a variable."""

import pytest
import torch

from bench.dna import numbers
from bench.dna.numeric_causes import diagnose

CAPABILITY = torch.backends.cpu.get_cpu_capability()


def canaries(monkeypatch, **variables):
    for name in numbers.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return numbers.measure(numbers.Circumstances("hw", "sw", 2), keep=False)


@pytest.fixture(scope="module")
def plain():
    with pytest.MonkeyPatch.context() as patch:
        return canaries(patch)


@pytest.mark.slow
def test_another_process_computes_the_same_bits(plain, monkeypatch):
    assert canaries(monkeypatch) == plain


@pytest.mark.slow
@pytest.mark.skipif(
    not CAPABILITY.startswith("AVX"), reason=f"this CPU runs {CAPABILITY} kernels: no AVX to switch off"
)
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ATEN_CPU_CAPABILITY": "default"}, ["ATen"]),
        ({"ATEN_CPU_CAPABILITY": "avx2"}, ["ATen"]),
        ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, ["oneDNN"]),
        ({"MKL_CBWR": "COMPATIBLE"}, ["MKL"]),
        ({"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}, ["oneDNN", "ATen", "MKL"]),
    ],
)
def test_a_switched_instruction_set_is_seen_and_named(plain, monkeypatch, variables, words):
    if CAPABILITY != "AVX512" and "default" not in variables.values() and "COMPATIBLE" not in variables.values():
        pytest.skip(f"this CPU runs {CAPABILITY} kernels: AVX2 is what it has anyway")
    other = canaries(monkeypatch, **variables)
    assert numbers.num_id(other) != numbers.num_id(plain)
    assert other["variables"] == variables
    found = diagnose(plain, other)
    assert [cause.text.split()[0] for cause in found.causes] == words
    for name, value in variables.items():
        assert any(f"{name} is not set on A, {value} on B" in cause.text for cause in found.causes)


@pytest.mark.slow
def test_another_thread_count_is_told_from_another_machine(plain):
    single = numbers.measure(numbers.Circumstances("hw", "sw", 1), keep=False)
    assert numbers.num_id(single) == numbers.num_id(plain), "one thread is one thread"
    found = diagnose(single, plain)
    assert found.one_thread == ()
    assert "sum_1m" in found.all_threads
    assert [cause.text.partition(":")[0] for cause in found.causes] == ["the thread count"]
