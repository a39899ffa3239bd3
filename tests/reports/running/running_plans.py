"""Plans that run on a clock that the test turns."""

from dataclasses import dataclass, replace

from bench.plan import Checkpointing, Configuration, Plan, Workload, in_rounds
from launchers import heartbeat

SINGLE = Configuration(
    strategy="single",
    ranks=1,
    device="cpu",
    backend=None,
    cores_per_rank=1,
    batch_per_rank=64,
    batch_global=64,
)
DDP = replace(SINGLE, strategy="ddp", ranks=2, backend="gloo", batch_global=128)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def plan(rounds=3, configurations=(SINGLE, DDP), estimated_s=60.0, epochs=None, checkpoint_steps=None) -> Plan:
    return Plan(
        study_id="s1",
        created_at="2026-11-22T08:14:55+00:00",
        command="bench scale",
        workload=Workload(model="lenet-small", steps=None if epochs else 40, epochs=epochs),
        scaling="weak",
        baseline=SINGLE,
        configurations=configurations,
        unrunnable=(),
        launches=in_rounds("s1", configurations, rounds, order_seed=0),
        rounds=rounds,
        order_seed=0,
        quick=False,
        margin=0.02,
        timeout_s=600,
        stall_s=60,
        budget_s=None,
        oversubscribed=False,
        origins={},
        estimated_s=estimated_s,
        estimated_bytes=0,
        keep=Checkpointing(checkpoint_steps=checkpoint_steps),
    )


def beat(rank=0, phase="window", step=28, steps=40, epoch=0):
    return heartbeat.Beat(rank=rank, phase=phase, step=step, steps=steps, monotonic_ns=1, epoch=epoch)
