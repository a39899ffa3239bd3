"""What the study asks of this machine at its widest, against what it may have: cores, memory, files, disk."""

import os
import resource
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.dna import cgroup
from bench.dna.machine import Machine, available_memory_bytes
from bench.health.check import REFUSAL, WARNING, Check, gathered, ok, refusal, warning
from bench.plan import Plan
from bench.store import fsops

# What one rank takes before its model and data: torch 2.15 imported is 0.54 GB resident on Linux.
RANK_BYTES = 2**30

# NCCL keeps tens of MB of shared memory for each peer on the host, and loaders with workers pass batches through it;
# 64 MB is what a container has altogether unless set otherwise.
SHM_RANK_BYTES = 64_000_000

# torch with Gloo: two ranks met and trained with 32 open files each, crashed with 24, and hung with 16.
FILES_LEAST, FILES_RANK = 24, 8

_MOST_CPU_RANKS = 8  # what `bench scale` starts at most on CPUs unless asked

_SPARE_FILES = 1000
_SPARE_BYTES = 10**9  # what should be left once the study is saved: a full disk hurts everybody on it


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


def of_store(demand: Demand, store: Path) -> list[Check]:
    """Whether the store, which need not be there yet, can be written and has room."""
    return gathered((partial(_store, demand, store),))


def _store(demand: Demand, store: Path) -> Check:
    place = next((each for each in (store, *store.absolute().parents) if each.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"can this be written?\n")
    except OSError as error:
        return refusal(
            "store",
            f"the store {store} cannot be written: {error.strerror or error}",
            "name another place with --store DIR or BENCH_STORE",
        )
    free, files = (room := fsops.room(place)).bytes, room.files
    fix = "make room, or name another place with --store DIR"
    if files is not None and files < _SPARE_FILES:
        text = f"the disk of the store {store} has {files:,} inodes left (df -i): room for that many files"
        return Check(name="store", level=WARNING if files else REFUSAL, text=text, fix=fix)
    if free is None:
        return ok("store", f"the store {store} can be written; how much fits is not told")
    left = f"the store {store} has {free / 1e6:,.0f} MB of room"
    if free < demand.store_bytes:
        text = f"{left}, and this study may take {demand.store_bytes / 1e6:,.0f} MB"
        return refusal("store", text, fix)
    if free - demand.store_bytes < _SPARE_BYTES:
        return warning("store", f"{left} left", fix)
    return ok("store", f"the store {store} can be written, {free / 1e9:,.0f} GB free")
