"""What others use of the cores now: CPU time between two looks. A load average still tells of a minute ago."""

import resource
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

import psutil

_GLANCE_S, _CONFIRM_S = 0.2, 1.0
SHARED = 0.25  # of the cores: others take more of them than this

# What somebody used, of the fields that a system has; a guest's time is within the user's, and stolen is what another
# guest of the same host used.
_USED = ("user", "nice", "system", "irq", "softirq", "steal")


@dataclass(frozen=True, kw_only=True)
class CpuTimes:
    """CPU seconds used so far, at one moment."""

    at_s: float
    cores: int  # that were looked at
    used_s: float  # of them, by everybody
    ours_s: float  # by this process and all that it started, ended or not


def look(cores: Collection[int]) -> CpuTimes | None:
    """What has been used of these cores; None where the system does not tell."""
    try:
        times = psutil.cpu_times(percpu=True)
    except (OSError, RuntimeError, LookupError, ValueError):
        return None
    counted = [each for core, each in enumerate(times) if core in cores] or times
    used_s = sum(getattr(each, name, 0.0) for each in counted for name in _USED)
    return CpuTimes(at_s=time.monotonic(), cores=len(counted), used_s=used_s, ours_s=_ours_s())


def others(before: CpuTimes | None, after: CpuTimes | None) -> float | None:
    """The share of the cores that others used between two looks; None where one of them saw nothing."""
    if before is None or after is None:
        return None
    there_were_s = (after.at_s - before.at_s) * after.cores
    theirs_s = (after.used_s - before.used_s) - (after.ours_s - before.ours_s)
    return max(0.0, theirs_s / there_were_s) if there_were_s > 0 else None


def others_now(cores: Collection[int], sleep: Callable[[float], None] = time.sleep) -> float | None:
    """The share of the cores that others use now: a glance, and where it is not quiet a second's look, past bursts."""
    first = look(cores)
    sleep(_GLANCE_S)
    found = others(first, look(cores))
    if found is not None and found > SHARED:
        sleep(_CONFIRM_S)
        found = others(first, look(cores))
    return found


def _ours_s() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() + ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            times = child.cpu_times()
            own += times.user + times.system + times.children_user + times.children_system
    return own
