"""What the study asks for against what it may have: cores, memory, shared memory."""

import os
import resource
import shutil
from functools import partial
from pathlib import Path

from bench.dna import cgroup
from bench.dna.machine import Machine, available_memory_bytes
from bench.health.check import Check, gathered, ok, refusal, warning
from bench.health.demand import Demand

# What one rank takes before its model and data: torch 2.15 imported is 0.54 GB resident on Linux.
RANK_BYTES = 2**30

# NCCL keeps tens of MB of shared memory for each peer on the host, and loaders with workers pass batches through it;
# 64 MB is what a container has altogether unless set otherwise.
SHM_RANK_BYTES = 64_000_000

# torch with Gloo: two ranks met and trained with 32 open files each, crashed with 24, and hung with 16.
FILES_LEAST, FILES_RANK = 24, 8


def checks(demand: Demand, machine: Machine, root: Path = Path("/")) -> list[Check]:
    """Cores asked for, CPU quota, memory, /dev/shm.

    Args:
        demand: what will be asked of the machine.
        machine: what of the host this process may use.
        root: folder that holds proc/, sys/ and dev/; another than `/` in tests.
    """
    readers = (
        partial(_oversubscription, demand, machine),
        partial(_cpu_quota, root),
        partial(_memory, demand, machine, root),
        partial(_shared_memory, demand, root),
        partial(_open_files, demand),
    )
    return gathered(readers)


def _oversubscription(demand: Demand, machine: Machine) -> Check | None:
    if not demand.oversubscribed:
        return None
    return warning(
        "oversubscription",
        f"some rows ask for more than the {len(machine.cpu_ids)} cores there are, and will wait for each other",
        "leave out --allow-oversubscribe to be told what fits",
    )


def _cpu_quota(root: Path) -> Check | None:
    quota = cgroup.cpu_quota(root)
    if quota is None:
        return None
    shown = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if quota >= shown:
        return ok("cpu_quota", f"a quota of {quota:g} CPUs for {shown} cores")
    return warning(
        "cpu_quota",
        f"{shown} cores are shown and {quota:g} are paid for: whoever uses more is paused",
        "give the container whole cores instead of a quota: docker run --cpuset-cpus=0-3, or a static CPU policy",
    )


def _memory(demand: Demand, machine: Machine, root: Path) -> Check:
    free = min(machine.memory_bytes, available_memory_bytes(root))
    need = demand.ranks * RANK_BYTES
    ranks = f"{demand.ranks} rank{'s' * (demand.ranks != 1)}"
    if free >= need:
        return ok("memory", f"{free / 1e9:.1f} GB of memory free, room for {ranks}")
    return warning(
        "memory",
        f"{free / 1e9:.1f} GB of memory free of {machine.memory_bytes / 1e9:.1f} GB; "
        f"{ranks} may take {need / 1e9:.1f} GB before model and data",
        "fewer ranks, a higher limit for the container, or end what takes the memory",
    )


def _shared_memory(demand: Demand, root: Path) -> Check | None:
    if demand.ranks == 1 and demand.device != "cuda":
        return None
    free = shutil.disk_usage(root / "dev/shm").free
    need = demand.ranks * SHM_RANK_BYTES
    text = f"/dev/shm has {free / 1e6:,.0f} MB free"  # noqa: S108 - it is asked about, not written to
    if free >= need:
        return ok("shared_memory", text)
    ranks = f"{demand.ranks} rank{'s' * (demand.ranks != 1)}"
    gib = -(-need // 2**30)
    return warning(
        "shared_memory",
        f"{text}; {ranks} may need {need / 1e6:,.0f} MB, and fail without",
        f"docker run --shm-size={gib}g, or: sudo mount -o remount,size={gib}G /dev/shm",
    )


def _open_files(demand: Demand) -> Check | None:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    need = FILES_LEAST + FILES_RANK * demand.ranks
    if allowed == resource.RLIM_INFINITY or allowed >= need:
        return None
    return refusal(
        "open_files",
        f"{allowed} open files are allowed, and a launch of {demand.ranks} needs {need}: its ranks would wait for "
        "each other for ever",
        "ulimit -n 1024, or for a service: LimitNOFILE=1024",
    )
