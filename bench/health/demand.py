"""What a study asks of this machine at its widest: the size against which limits are judged."""

from dataclasses import dataclass

from bench.dna.machine import Machine
from bench.plan import Plan

_MOST_CPU_RANKS = 8  # what `bench scale` starts at most on CPUs unless asked


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The largest of all rows, on one host."""

    device: str  # cpu, cuda or mps
    ranks: int  # processes at once, on one host
    cuda_devices: int  # in use at once; 0 off CUDA
    oversubscribed: bool  # more cores asked for than there are
    store_bytes: int  # what the results will take; 0 when nobody knows yet


def of_plan(plan: Plan) -> Demand:
    """What this plan will ask for."""
    device = plan.baseline.device
    return Demand(
        device=device,
        ranks=max(-(-row.processes // row.nodes) for row in plan.configurations),
        cuda_devices=max(row.ranks_per_node for row in plan.configurations) if device == "cuda" else 0,
        oversubscribed=plan.oversubscribed,
        store_bytes=plan.estimated_bytes,
    )


def of_whole(machine: Machine) -> Demand:
    """What a study over the whole machine would ask for."""
    devices = machine.cuda_devices
    cpu_ranks = 1 if machine.mps else min(machine.cores.places, _MOST_CPU_RANKS)
    return Demand(
        device="cuda" if devices else "mps" if machine.mps else "cpu",
        ranks=devices or cpu_ranks,
        cuda_devices=devices,
        oversubscribed=False,
        store_bytes=0,
    )
