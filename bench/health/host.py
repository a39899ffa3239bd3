"""The host as it is now: who else uses it, what feeds it, and how its clocks run."""

import resource
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from bench.dna import conditions, linux
from bench.dna.machine import Machine
from bench.health.check import Check, gathered, ok, warning

_SWAPPED = 0.25  # of the memory: more than this lies in the swap

# Governors that hold a clock down until somebody asks for more, or for good.
_SLOW_GOVERNORS = {"powersave", "conservative"}

# Read through a system call or a port of the board, in microseconds instead of nanoseconds.
_SLOW_CLOCKS = {"acpi_pm", "hpet", "jiffies", "pit", "refined-jiffies", "xen"}

# The one build date that gVisor's kernel has given since its first release; newer ones give the name too.
_GVISOR = ("Sun Jan 10 15:06:54 PST 2016", "gVisor", "gvisor")

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


def checks(machine: Machine, root: Path = Path("/")) -> list[Check]:
    """Load, swap, battery, clocks, clock source and the kernel.

    Args:
        machine: what of the host this process may use.
        root: folder that holds proc/ and sys/; another than `/` in tests.
    """
    readers = (
        partial(_load, machine),
        _swap,
        partial(_battery, root),
        partial(_governor, machine, root),
        partial(_clock_cap, machine, root),
        partial(_turbo, root),
        partial(_clock_source, root),
        partial(_kernel, root),
    )
    return gathered(readers)


def _load(machine: Machine) -> Check | None:
    found, ours = others_now(machine.cpu_ids), len(machine.cpu_ids)
    if found is None:
        return None
    text = f"others use {found:.0%} of our {ours} core{'s' * (ours != 1)} now"
    if found <= SHARED:
        return ok("load", f"quiet: {text}")
    return warning(
        "load",
        f"busy: {text}; rows will be slowed unevenly",
        "end what else runs (see: top), or measure when it is done",
    )


def _swap() -> Check:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    share = swap.used / memory.total
    if share <= _SWAPPED:
        return ok("swap", f"{swap.used / 1e9:.1f} GB swapped out")
    return warning(
        "swap",
        f"{swap.used / 1e9:.1f} GB are swapped out, {share:.0%} of the memory; what is fetched back takes time",
        "end what takes the memory (see: top, sorted by memory)",
    )


def _battery(root: Path) -> Check:
    if not conditions.on_battery(root):
        return ok("battery", "on mains power")
    return warning("battery", "on battery; clocks are held down", "plug it in")


def _governor(machine: Machine, root: Path) -> Check:
    governors = linux.governors(machine.cpu_ids, root)
    rule = conditions.summarised(governors.values())
    of = f" on the {len(governors)} cores for us" * (len(set(governors.values())) > 1)
    slow = [governor for governor in governors.values() if governor in _SLOW_GOVERNORS]
    if not slow and not of:
        return ok("governor", f"frequency governor {rule}")
    why = "clocks rise late, or not at all" if slow else "cores run by different rules"
    return warning("governor", f"frequency governor {rule}{of}: {why}", "sudo cpupower frequency-set -g performance")


def _clock_cap(machine: Machine, root: Path) -> Check:
    capped = linux.capped_mhz(machine.cpu_ids, root)
    if not capped:
        return ok("clock_cap", "no core's clock is capped")
    cap, able = min(capped.values())
    cores = f"{len(capped)} of {len(machine.cpu_ids)} cores"
    return warning(
        "clock_cap",
        f"the clock of {cores} is capped to {cap} MHz, of {able} MHz that they can do",
        f"sudo cpupower frequency-set -u {able}MHz, unless the cap is meant",
    )


def _turbo(root: Path) -> Check:
    if linux.turbo(root):
        return ok("turbo", "turbo clocks are allowed")
    return warning(
        "turbo",
        "turbo is switched off: no core goes above its nominal clock",
        "echo 0 > /sys/devices/system/cpu/intel_pstate/no_turbo (or 1 > .../cpufreq/boost), unless that is meant",
    )


def _clock_source(root: Path) -> Check:
    source = (root / "sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip()
    if source not in _SLOW_CLOCKS:
        return ok("clock_source", f"clock source {source}")
    return warning(
        "clock_source",
        f"clock source {source} is slow to read, which is part of every step's time",
        "use tsc where the kernel offers it: /sys/devices/system/clocksource/clocksource0/available_clocksource",
    )


def _kernel(root: Path) -> Check | None:
    """A container alone costs no speed; its limits and its shared memory are checks of their own."""
    version = (root / "proc/version").read_text()
    if not any(sign in version for sign in _GVISOR):
        return None
    return warning(
        "kernel",
        "inside gVisor: system calls cost more, which slows ranks that talk over sockets",
        "for numbers of the host, run in an ordinary container",
    )


def cpu_times(cores: Collection[int]) -> CpuTimes | None:
    """What has been used of these cores; None where the system does not tell.

    Two looks tell of the time between them; a load average still tells of a minute ago.
    """
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
    first = cpu_times(cores)
    sleep(_GLANCE_S)
    found = others(first, cpu_times(cores))
    if found is not None and found > SHARED:
        sleep(_CONFIRM_S)
        found = others(first, cpu_times(cores))
    return found


def _ours_s() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time() + ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            times = child.cpu_times()
            own += times.user + times.system + times.children_user + times.children_system
    return own
