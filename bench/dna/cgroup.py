"""What the control groups allow this process: CPU time, memory, and for how long the kernel has paused it.

Version 1, version 2 and both at once. A parent's limit binds its children, so every group on the way up counts, and the
tightest decides.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.dna.facts import AbsentError, first_text
from launchers.control_groups import groups

_NO_LIMIT = 2**60  # bytes; version 1 writes "none" as the largest page number it has


@dataclass(frozen=True, kw_only=True)
class MemoryLimit:
    """The group that has the least left of its limit."""

    limit_bytes: int
    left_bytes: int


def cpu_quota(root: Path = Path("/")) -> float | None:
    """CPUs' worth of time that the control groups allow this process; None without a limit.

    Reads `cpu.max` (version 2) and `cpu.cfs_quota_us` (version 1).
    """
    quotas = []
    for folder in groups(root, "cpu"):
        if limit := first_text((folder / "cpu.max",)):
            quota, _, period = limit.partition(" ")
        else:
            quota = first_text((folder / "cpu.cfs_quota_us",)) or ""
            period = first_text((folder / "cpu.cfs_period_us",)) or ""
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:  # "max" or -1: no limit
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def throttled_ns(root: Path = Path("/")) -> int:
    """For how long the kernel has kept processes of these groups waiting for the next period of their CPU quota.

    Of the group that was paused longest; the kernel adds up over the CPUs on which the group had something to run, so
    two paused cores count twice.

    Raises:
        AbsentError: no control group here counts it.
    """
    found = [each for folder in groups(root, "cpu") if (each := _throttled_ns(folder)) is not None]
    if not found:
        raise AbsentError("no control group counts how long it was paused (cpu.stat)")
    return max(found)


def memory(root: Path = Path("/")) -> MemoryLimit | None:
    """The tightest memory limit of the groups, and what is left of it; None without a limit.

    What can be dropped at once (file pages that nobody has touched lately) counts as left.
    """
    found = []
    for folder in groups(root, "memory"):
        limits = [first_text((folder / name,)) for name in ("memory.max", "memory.high", "memory.limit_in_bytes")]
        limit = min((int(each) for each in limits if each and each.isdecimal()), default=_NO_LIMIT)
        if limit >= _NO_LIMIT:
            continue
        used = first_text((folder / "memory.current", folder / "memory.usage_in_bytes"))
        held = int(used) - _reclaimable_bytes(folder) if used and used.isdecimal() else 0
        found.append(MemoryLimit(limit_bytes=limit, left_bytes=max(0, limit - held)))
    return min(found, key=lambda each: each.left_bytes, default=None)


def _reclaimable_bytes(folder: Path) -> int:
    stat = _numbers(folder / "memory.stat")
    return stat.get("total_inactive_file", stat.get("inactive_file", 0))


def _throttled_ns(folder: Path) -> int | None:
    stat = _numbers(folder / "cpu.stat")
    if "throttled_usec" in stat:  # version 2
        return stat["throttled_usec"] * 1000
    return stat.get("throttled_time")  # version 1, in ns


def _numbers(file: Path) -> dict[str, int]:
    pairs = [line.split() for line in (first_text((file,)) or "").splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
