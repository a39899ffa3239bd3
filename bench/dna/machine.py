"""What this machine lets us use: cores, memory, accelerators. Found without torch, so that a plan is quick."""

import importlib.metadata
import importlib.util
import math
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

CPU_ONLY = "CPU-only"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a plan may spread its ranks over."""

    cpu_ids: tuple[int, ...]  # logical CPUs this process may use, in order
    pinnable: bool  # processes can be bound to cores
    memory_bytes: int  # physical, or what the container allows
    cuda: tuple[str, ...] = ()  # names of the NVIDIA GPUs that CUDA_VISIBLE_DEVICES leaves visible
    cuda_hidden: int = 0  # GPUs that it hides
    cuda_visible_devices: str | None = None  # its value; None: not set
    cuda_driver: str | None = None  # NVIDIA driver's version; None: no driver answers
    torch_version: str | None = None  # None: torch is not installed
    torch_build: str | None = None  # "CUDA 13.2", "ROCm 6.4" or CPU_ONLY; None: not known
    mps: bool = False  # Apple GPU

    @property
    def cuda_devices(self) -> int:
        """CUDA devices that this torch can drive."""
        return 0 if self.torch_build == CPU_ONLY else len(self.cuda)


def here() -> Machine:
    """This machine, as this process may use it."""
    version, build = _torch()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names, hidden, driver = _nvidia(visible)
    return Machine(
        cpu_ids=usable_cpus(),
        pinnable=hasattr(os, "sched_setaffinity"),
        memory_bytes=usable_memory_bytes(),
        cuda=names,
        cuda_hidden=hidden,
        cuda_visible_devices=visible,
        cuda_driver=driver,
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
    quota = cpu_quota(root)
    return allowed if quota is None else allowed[: max(1, math.floor(quota))]


def cpu_quota(root: Path = Path("/")) -> float | None:
    """CPUs' worth of time that the control groups allow this process; None without a limit.

    Reads `cpu.max` (version 2) and `cpu.cfs_quota_us` (version 1), and takes the tightest on the way up, since a
    parent's limit binds its children.
    """
    quotas = []
    for folder in _control_groups(root, "cpu"):
        period: str | None
        quota, _, period = (_text(folder / "cpu.max") or "").partition(" ")
        if not quota:
            quota, period = _text(folder / "cpu.cfs_quota_us") or "", _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period and int(period) > 0:  # "max" or -1: no limit
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def usable_memory_bytes(root: Path = Path("/")) -> int:
    """Physical memory, or the control group's limit where that is lower."""
    limits = [
        int(text)
        for folder in _control_groups(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (text := _text(folder / name)) and text.isdigit()
    ]
    return min([psutil.virtual_memory().total, *limits])


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control groups that may limit `controller`, from its own up to the top.

    Inside a container the path that the kernel tells may be the host's; the top of the mounted tree is then the
    container's own group, which is why the top is always among them.
    """
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            tops = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif controller in controllers.split(","):
            tops = [root / "sys/fs/cgroup" / controller, root / "sys/fs/cgroup" / controllers]
        else:
            continue
        own = Path(group.lstrip("/"))
        for top in tops:
            yield from (top / each for each in (own, *own.parents))


def _text(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None


def _torch() -> tuple[str | None, str | None]:
    """Version and build of the installed torch, read from its files: importing it takes seconds."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None, None
    spec = importlib.util.find_spec("torch")
    source = _text(Path(spec.origin).parent / "version.py") if spec and spec.origin else None
    return version, torch_build(version, source or "")


def torch_build(version: str, source: str) -> str | None:
    """What torch was built for, from its version and the text of its `torch/version.py`; None when neither tells."""
    told = dict(re.findall(r"^(cuda|hip)\b[^=\n]*= *'([^']+)'", source, re.MULTILINE))
    if "cuda" in told:
        return f"CUDA {told['cuda']}"
    if "hip" in told:
        return f"ROCm {told['hip']}"
    return CPU_ONLY if "+cpu" in version or source else None


def _nvidia(visible: str | None) -> tuple[tuple[str, ...], int, str | None]:
    """Names of the visible NVIDIA GPUs, how many are hidden, and the driver's version."""
    import pynvml  # noqa: PLC0415 - only its users pay for its 100 ms

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return (), 0, None
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        names = {pynvml.nvmlDeviceGetUUID(handle): pynvml.nvmlDeviceGetName(handle) for handle in handles}
        seen = visible_devices(visible, names)
        return seen, len(names) - len(seen), driver
    except pynvml.NVMLError:
        return (), 0, None
    finally:
        pynvml.nvmlShutdown()


def visible_devices(visible: str | None, names: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the GPUs that a value of CUDA_VISIBLE_DEVICES leaves visible, in its order.

    Follows the CUDA programming guide: indices or (beginnings of) UUIDs, nothing after the first one that is not a
    device, and no device at all when one is listed twice.

    Args:
        visible: the variable's value; None when not set.
        names: UUID -> name of every GPU, in the driver's order.
    """
    if visible is None:
        return tuple(names.values())
    chosen: list[str] = []
    for token in (each.strip() for each in visible.split(",")):
        found = _device(token, list(names))
        if found is None:
            break
        chosen.append(found)
    return tuple(names.get(uuid, "MIG slice") for uuid in chosen) if len(set(chosen)) == len(chosen) else ()


def _device(token: str, uuids: Sequence[str]) -> str | None:
    if token.isdigit():
        return uuids[int(token)] if int(token) < len(uuids) else None
    if token.startswith("MIG-"):
        return token
    close = [uuid for uuid in uuids if token and uuid.startswith(token)]
    return close[0] if len(close) == 1 else None
