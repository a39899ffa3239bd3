"""Capsules that nobody recorded: a small training run in numpy, with every number a test may want to change."""

from dataclasses import replace
from hashlib import blake2b

import numpy as np

from bench.plan import Configuration, Workload
from bench.repro.capsule import Capsule, Envelope, Fact, Part, ReproRun

STEPS = 8
CHECKPOINTS = (1, 2, 4, 8)
CONDITIONS = {
    "device": "cpu",
    "device_name": "cpu",
    "threads": 1,
    "cpu_capability": "AVX512",
    "versions": {"torch": "2.15.0"},
    "variables": {},
    "world_size": 1,
    "backend": None,
    "buckets": None,
}
ROW = Configuration(
    strategy="single", ranks=1, device="cpu", backend=None, cores_per_rank=1, batch_per_rank=8, batch_global=8
)


def fact(stage: str, step: int, tensor: str, values, *, kind: str = "", floats: bool = True) -> Fact:
    array = np.asarray(values, np.float32)
    return Fact(
        stage=stage,
        step=step,
        tensor=tensor,
        hash=blake2b(array.tobytes()).hexdigest(),
        kind=kind,
        count=len(array),
        largest=float(np.abs(array).max()) if floats else None,
        total=float(array.astype(np.float64).sum()) if floats else None,
        sample=array if floats else None,
    )


def a_run(**changed: float) -> Part:
    """A run in which every stage holds the same 16 numbers; `changed` moves a stage's by that share of itself.

    `weights_from_2=1e-3` moves the weights from two steps on; `loss` moves every loss.
    """
    base = np.linspace(0.5, 2.0, 16)

    def moved(name: str) -> np.ndarray:
        return base * (1 + changed.get(name, 0.0))

    facts = [
        fact("indices", 0, "samples", moved("indices"), floats=False),
        fact("raw batch", 0, "images", moved("raw"), floats=False),
        fact("augmented batch", 0, "images", moved("augmented")),
        fact("init", 0, "0.weight", moved("init")),
        fact("random state", 0, "cpu", moved("random"), floats=False),
        fact("forward", 0, "0", moved("forward"), kind="Conv2d"),
        fact("forward", 0, "1", moved("forward_1"), kind="Linear"),
        fact("local gradient", 0, "0.weight", moved("local")),
        fact("reduced gradient", 0, "0.weight", moved("reduced")),
    ]
    for made in CHECKPOINTS:
        name = "weights" if made < 2 else "weights_from_2"
        share = changed.get("weights", 0.0) + (changed.get(name, 0.0) if made >= 2 else 0.0)
        facts.append(fact("weights", made, "0.weight", base * (1 + share)))
    losses = tuple((2.0 * (1 + changed.get("loss", 0.0)) / (step + 1)).hex() for step in range(STEPS))
    return Part(rank=0, conditions=CONDITIONS, facts=tuple(facts), losses=losses, warnings=())


def a_capsule(part: Part | None = None, *, allowed: float | None = 1e-5, finals=None, **conditions) -> Capsule:
    """A capsule of that run; `allowed` is the envelope at every step, None for a capsule without one."""
    part = part or a_run()
    part = replace(part, conditions={**CONDITIONS, **conditions})
    envelope = None
    if allowed is not None:
        envelope = Envelope(loss=(allowed,) * STEPS, weights=dict.fromkeys(CHECKPOINTS, allowed), runs=("a", "b"))
    return Capsule(
        created_at="",
        repro_run=ReproRun(workload=Workload(model="m", data="digits", steps=STEPS), configuration=ROW),
        parts=(part,),
        ids={"hw_id": "h", "sw_id": "s", "num_id": None},
        envelope=envelope,
        finals=finals,
    )
