"""The host as it is now: who else uses it, what feeds it, and how its clocks run."""

from functools import partial
from pathlib import Path

import psutil

from bench.dna import conditions, linux
from bench.dna.machine import Machine
from bench.health import load
from bench.health.check import Check, gathered, ok, warning

_SWAPPED = 0.25  # of the memory: more than this lies in the swap

# Governors that hold a clock down until somebody asks for more, or for good.
_SLOW_GOVERNORS = {"powersave", "conservative"}

# Read through a system call or a port of the board, in microseconds instead of nanoseconds.
_SLOW_CLOCKS = {"acpi_pm", "hpet", "jiffies", "pit", "refined-jiffies", "xen"}

# The one build date that gVisor's kernel has given since its first release; newer ones give the name too.
_GVISOR = ("Sun Jan 10 15:06:54 PST 2016", "gVisor", "gvisor")


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
    found, ours = load.others_now(machine.cpu_ids), len(machine.cpu_ids)
    if found is None:
        return None
    text = f"others use {found:.0%} of our {ours} core{'s' * (ours != 1)} now"
    if found <= load.SHARED:
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
