"""The host as it is now: who else uses it, what feeds it, and how its clocks run."""

from functools import partial
from pathlib import Path

import psutil

from bench.dna import linux
from bench.dna.machine import Machine
from bench.health import load
from bench.health.check import OK, WARNING, Check, gathered

_SWAPPED = 0.25  # of the memory: more than this lies in the swap

# Read through a system call or a port of the board, in microseconds instead of nanoseconds.
_SLOW_CLOCKS = {"acpi_pm", "hpet", "jiffies", "pit", "refined-jiffies", "xen"}

# The one build date that gVisor's kernel has told since its first release; newer ones tell the name too.
_GVISOR = ("Sun Jan 10 15:06:54 PST 2016", "gVisor", "gvisor")


def checks(machine: Machine, root: Path = Path("/")) -> list[Check]:
    """Load, swap, battery, governor, clock source and the kernel.

    Args:
        machine: what of the host this process may use.
        root: folder that holds proc/ and sys/; another than `/` in tests.
    """
    readers = (
        partial(_load, machine),
        _swap,
        _battery,
        partial(_governor, root),
        partial(_clock_source, root),
        partial(_kernel, root),
    )
    return gathered(readers)


def _load(machine: Machine) -> Check | None:
    found, ours = load.others_now(machine.cpu_ids), len(machine.cpu_ids)
    if found is None:
        return None
    told = f"others use {found:.0%} of our {ours} core{'s' * (ours != 1)} now"
    if found <= load.SHARED:
        return Check(name="load", level=OK, text=f"quiet: {told}")
    return Check(
        name="load",
        level=WARNING,
        text=f"busy: {told}; rows will be slowed unevenly",
        fix="end what else runs (see: top), or measure when it is done",
    )


def _swap() -> Check:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    share = swap.used / memory.total
    if share <= _SWAPPED:
        return Check(name="swap", level=OK, text=f"{swap.used / 1e9:.1f} GB swapped out")
    return Check(
        name="swap",
        level=WARNING,
        text=f"{swap.used / 1e9:.1f} GB are swapped out, {share:.0%} of the memory; what is fetched back takes time",
        fix="end what takes the memory (see: top, sorted by memory)",
    )


def _battery() -> Check | None:
    battery = psutil.sensors_battery()
    if battery is None or battery.power_plugged is None:
        return None
    if battery.power_plugged:
        return Check(name="battery", level=OK, text="on mains power")
    return Check(
        name="battery",
        level=WARNING,
        text=f"on battery, {battery.percent:.0f} % left; clocks are held down",
        fix="plug it in",
    )


def _governor(root: Path) -> Check:
    governor = linux.governor(root)
    if governor != "powersave":
        return Check(name="governor", level=OK, text=f"frequency governor {governor}")
    return Check(
        name="governor",
        level=WARNING,
        text="frequency governor powersave: clocks rise late, or not at all",
        fix="sudo cpupower frequency-set -g performance",
    )


def _clock_source(root: Path) -> Check:
    source = (root / "sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip()
    if source not in _SLOW_CLOCKS:
        return Check(name="clock_source", level=OK, text=f"clock source {source}")
    return Check(
        name="clock_source",
        level=WARNING,
        text=f"clock source {source} is slow to read, which is part of every step's time",
        fix="use tsc where the kernel offers it: /sys/devices/system/clocksource/clocksource0/available_clocksource",
    )


def _kernel(root: Path) -> Check | None:
    """A container alone costs no speed; its limits and its shared memory are checks of their own."""
    version = (root / "proc/version").read_text()
    if not any(sign in version for sign in _GVISOR):
        return None
    return Check(
        name="kernel",
        level=WARNING,
        text="inside gVisor: system calls cost more, which slows ranks that talk over sockets",
        fix="for numbers of the host, run in an ordinary container",
    )
