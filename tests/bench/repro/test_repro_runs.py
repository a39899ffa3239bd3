"""Which runs an envelope is made of. Ranks are stood in for; real ones: `tests/end_to_end/test_repro_verdicts.py`."""

import pytest

from bench.dna.machine import Machine
from bench.plan import Configuration, Workload
from bench.repro import runs
from bench.repro.capsule import Part, ReproRun

ROW = Configuration(
    strategy="single", ranks=1, device="cpu", backend=None, cores_per_rank=1, batch_per_rank=8, batch_global=8
)


@pytest.mark.parametrize(("precision", "other_device"), [("fp32", 2 + 1 + 2), ("bf16", None)])
def test_the_envelope_of_another_device_has_runs_that_round_otherwise_and_is_measured_in_fp32_alone(
    monkeypatch, precision, other_device
):
    def parts_of(given, _stage):
        seed = given.nudged if given.other_kernels is None else given.other_kernels
        nudge = None if seed is None else f"{'weights' if given.other_kernels is None else 'products'} {seed}"
        return (Part(rank=0, conditions={}, facts=(), losses=((1.0).hex(),), warnings=(), nudge=nudge),)

    monkeypatch.setattr(runs, "parts_of", parts_of)
    said = []
    machine = Machine(cpu_ids=(0, 1), pinnable=True, memory_bytes=2**34)
    stage = runs.Stage(machine=machine, ids={}, say=said.append)
    work = Workload(model="m", data="digits", steps=1, precision=precision)
    found = runs.recorded(ReproRun(workload=work, configuration=ROW), stage, nudges=2)
    assert found.envelope.runs == ("weights 0", "weights 1", "threads 2")
    far = found.envelope_other_device
    assert (far and len(far.runs)) == other_device
    assert far is None or far.runs[-2:] == ("products 0", "products 1")
    assert len(said) == 1 + (other_device or 3)
