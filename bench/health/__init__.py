"""Is this machine fit to measure on, before a study and between launches? Reads only; changes nothing.

Each finding is a `Check`. A fact that cannot be read is no check: absence of a warning is no promise.
"""

from pathlib import Path
from typing import Any

from bench.dna.child import Child
from bench.dna.machine import Machine
from bench.health import capacity, gpu, host, software
from bench.health.check import OK, REFUSAL, WARNING, Check, refuse, tolerated
from bench.health.gpu import PROCESSES as GPU_PROCESSES
from bench.health.gpu import GpuMemory, postflight
from bench.plan import Plan

__all__ = [
    "GPU_PROCESSES",
    "OK",
    "REFUSAL",
    "WARNING",
    "Check",
    "GpuMemory",
    "as_it_is",
    "cards",
    "host",
    "postflight",
    "preflight",
    "refuse",
]


def preflight(plan: Plan, machine: Machine, store: Path, *, share: bool = False, nvml: Any = None) -> list[Check]:
    """What stands for or against measuring this plan here and now, refusals first; those that are well included.

    Takes a fifth of a second on CPU, one more where others are busy; on CUDA also what the driver needs to answer.

    Args:
        plan: what will be run.
        machine: what of this host there is to run it on.
        store: where results will go; need not be there yet.
        share: whether others on a GPU are only warned of: the user measures beside them, or waits for them first.
        nvml: stands in for the module `pynvml` in tests.
    """
    asked = capacity.of_plan(plan)
    checks = [*(gpu.present(machine) if asked.device == "cuda" else []), *_all(asked, machine, store, nvml)]
    return _sorted(tolerated(checks, GPU_PROCESSES) if share else checks)


def as_it_is(machine: Machine, store: Path, begun: Child | None = None, *, nvml: Any = None) -> list[Check]:
    """The same for a study over the whole machine, and whether there is a torch to run it with: `bench doctor`.

    Args:
        machine: what of this host there is.
        store: where results will go; need not be there yet.
        begun: also have torch run, in this process (`bench.dna.numbers.begin`), and compare its numbers with the last.
        nvml: stands in for the module `pynvml` in tests.
    """
    looked = _all(capacity.of_whole(machine), machine, store, nvml)  # first: the canaries are a load, and use the GPU
    numbers = software.numbers_checks(machine, begun) if begun else []
    return _sorted([software.torch_check(machine), *gpu.present(machine), *numbers, *looked])


def cards(plan: Plan, machine: Machine, *, nvml: Any = None) -> tuple[int, ...]:
    """The cards that a plan will use, for `GpuMemory.before`; none off CUDA."""
    return gpu.planned(capacity.of_plan(plan), machine, nvml)


def _all(asked: capacity.Demand, machine: Machine, store: Path, nvml: Any) -> list[Check]:
    return [
        *gpu.checks(gpu.planned(asked, machine, nvml), nvml),
        *capacity.checks(asked, machine),
        *host.checks(machine),
        *capacity.of_store(asked, store),
    ]


def _sorted(checks: list[Check]) -> list[Check]:
    worst_first = (REFUSAL, WARNING, OK)
    return sorted(checks, key=lambda check: worst_first.index(check.level))
