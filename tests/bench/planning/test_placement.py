"""Which device `auto` takes, and what is said of the machine beside every number."""

import pytest

from bench.dna.machine import CPU_ONLY, Machine
from bench.dna.nvidia import NvidiaCards
from bench.errors import CannotError
from bench.plan import Configuration
from bench.planning import placement

LOST = "GPU 1: NVIDIA driver: GPU is lost"


def machine(**changes):
    return Machine(**{"cpu_ids": (0, 1), "pinnable": True, "memory_bytes": 1, "torch_build": "CUDA 13.2"} | changes)


def row(device="cpu", ranks=1, cores=1):
    return Configuration(
        strategy="single",
        ranks=ranks,
        device=device,
        backend=None,
        cores_per_rank=cores,
        batch_per_rank=1,
        batch_global=ranks,
    )


@pytest.mark.parametrize(
    "trouble",
    [(LOST,), ("NVIDIA driver: Driver/library version mismatch",), (LOST, "GPU 2: NVIDIA driver: Unknown Error")],
)
def test_auto_measures_nothing_else_in_place_of_a_gpu_that_is_broken(trouble):
    with pytest.raises(CannotError) as refused:
        placement.device_of("auto", machine(cards=NvidiaCards(trouble=trouble)))
    assert trouble[0] in refused.value.message
    assert "--device cpu" in refused.value.hint
    assert placement.device_of("cpu", machine(cards=NvidiaCards(trouble=trouble))) == "cpu"


def test_auto_takes_the_cards_that_work_and_names_the_one_that_does_not():
    half = machine(cards=NvidiaCards(names=("A",), trouble=(LOST,)))
    assert placement.device_of("auto", half) == "cuda"
    assert any(LOST in note for note in placement.notes([row("cuda")], half, "auto"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cards": NvidiaCards(names=("A",)), "torch_build": CPU_ONLY}, "torch is a CPU-only build"),
        ({"cards": NvidiaCards(hidden=2), "cuda_visible_devices": ""}, "hides every GPU"),
        (
            {"cards": NvidiaCards(notes=("this host has 1 NVIDIA GPU, and this process was given none",))},
            "was given none",
        ),
    ],
)
def test_auto_says_why_it_measures_the_cpu_of_a_machine_with_gpus(changes, words):
    here = machine(**changes)
    assert placement.device_of("auto", here) == "cpu"
    assert any(words in note for note in placement.notes([row()], here, "auto"))
    assert not list(placement.notes([row()], here, "cpu")), "the CPU was what was asked for"


def test_a_machine_without_a_gpu_is_nothing_to_speak_of():
    assert placement.device_of("auto", machine()) == "cpu"
    assert list(placement.notes([row()], machine(), "auto")) == []


@pytest.mark.parametrize(
    ("quota", "cores", "said"), [(0.5, 1, True), (1.5, 2, True), (2.0, 2, False), (None, 2, False)]
)
def test_a_quota_that_pays_for_less_than_is_used_is_said(quota, cores, said):
    notes = list(placement.notes([row(cores=cores)], machine(cpu_quota=quota), "cpu"))
    assert bool(notes) == said
    assert not said or f"a CPU quota of {quota:g} cores" in notes[0]
