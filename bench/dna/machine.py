"""What this machine lets us use: cores, memory, accelerators. Found without torch, so that a plan is quick."""

import importlib.metadata
import importlib.util
import math
import os
import platform
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.dna import cgroup, nvidia, topology
from bench.dna.facts import first_text
from bench.dna.nvidia import NvidiaCards
from bench.dna.topology import Topology

CPU_ONLY = "CPU-only"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a plan may spread its ranks over."""

    cpu_ids: tuple[int, ...]  # logical CPUs this process may use, in order
    pinnable: bool  # processes can be bound to cores
    memory_bytes: int  # physical, or what the container allows
    cpu_quota: float | None = None  # CPUs' worth of time that the control groups allow; None: no limit
    topology: Topology | None = None  # which CPUs are cores; None: each counts as one
    cards: NvidiaCards = field(default_factory=NvidiaCards)
    cuda_visible_devices: str | None = None  # the variable's value; None: not set
    torch_version: str | None = None  # None: torch is not installed
    torch_build: str | None = None  # "CUDA 13.2", "ROCm 6.4" or CPU_ONLY; None: not known
    mps: bool = False  # Apple GPU

    @property
    def cuda_devices(self) -> int:
        """CUDA devices that this torch can drive."""
        return 0 if self.torch_build == CPU_ONLY else len(self.cards.names)

    @property
    def cores(self) -> Topology:
        """The usable CPUs as cores."""
        single = tuple(topology.Core(threads=(cpu,), kind=0) for cpu in self.cpu_ids)
        return self.topology or Topology(cores=single, known=False)


def here() -> Machine:
    """This machine, as this process may use it."""
    version, build = _torch()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    cpus = usable_cpus()
    return Machine(
        cpu_ids=cpus,
        pinnable=hasattr(os, "sched_setaffinity"),
        memory_bytes=usable_memory_bytes(),
        cpu_quota=cgroup.cpu_quota(),
        topology=topology.read(cpus),
        cards=nvidia.look(visible, drives_cuda=build not in {None, CPU_ONLY}),
        cuda_visible_devices=visible,
        torch_version=version,
        torch_build=build,
        mps=sys.platform == "darwin" and platform.machine() == "arm64" and version is not None,
    )


def usable_cpus(root: Path = Path("/")) -> tuple[int, ...]:
    """Logical CPUs that the affinity mask allows, no more of them than the control group's quota pays for."""
    if hasattr(os, "sched_getaffinity"):
        allowed = tuple(sorted(os.sched_getaffinity(0)))
    else:
        allowed = tuple(range(os.cpu_count() or 1))
    quota = cgroup.cpu_quota(root)
    if quota is None:
        return allowed
    order = topology.read(allowed, root).order  # whole cores before second threads, strong ones before weak ones
    return tuple(sorted(order[: max(1, math.floor(quota))]))


def usable_memory_bytes(root: Path = Path("/")) -> int:
    """Physical memory, or the control group's limit where that is lower."""
    limit = cgroup.memory(root)
    physical = psutil.virtual_memory().total
    return physical if limit is None else min(physical, limit.limit_bytes)


def available_memory_bytes(root: Path = Path("/")) -> int:
    """What can be had now: free memory of the machine, or what is left of the control group's limit."""
    limit = cgroup.memory(root)
    free = psutil.virtual_memory().available
    return free if limit is None else min(free, limit.left_bytes)


def _torch() -> tuple[str | None, str | None]:
    """Version and build of the installed torch, read from its files: importing it takes seconds."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None, None
    spec = importlib.util.find_spec("torch")
    source = first_text((Path(spec.origin).parent / "version.py",)) if spec and spec.origin else None
    return version, torch_build(version, source or "")


def torch_build(version: str, source: str) -> str | None:
    """What torch was built for, from its version and the text of its `torch/version.py`; None when neither tells."""
    versions = dict(re.findall(r"^(cuda|hip)\b[^=\n]*= *'([^']+)'", source, re.MULTILINE))
    if "cuda" in versions:
        return f"CUDA {versions['cuda']}"
    if "hip" in versions:
        return f"ROCm {versions['hip']}"
    return CPU_ONLY if "+cpu" in version or source else None
