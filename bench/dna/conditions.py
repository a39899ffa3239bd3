"""The state of the machine at one moment: stored beside every launch, part of no id."""

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

from bench.dna import cgroup, linux, machine
from bench.dna.facts import AbsentError, Facts, UnavailableError, first_text, gather, merge
from bench.dna.gpu import Gpus

# Parts of the names of the processor's sensors: Intel's coretemp, AMD's k10temp and zenpower, cpu_thermal and
# bigcore0_thermal of ARM boards. Others are of disks, network cards, the board.
_CPU_SENSORS = ("core", "cpu", "k10temp", "zenpower", "x86_pkg_temp", "soc_thermal", "scpi_sensors")

T = TypeVar("T")


def read(gpus: Gpus) -> Facts:
    """Load, clocks, temperature, power and limits now, and what of the machine this process may use.

    Args:
        gpus: what the graphics driver gave (`bench.dna.gpu.read`).
    """
    used = machine.usable_cpus()
    cpu = gather(
        {
            "load_1m": lambda: round(os.getloadavg()[0], 2),
            "usable_threads": lambda: len(used),
            "available_gib": lambda: round(machine.available_memory_bytes() / 2**30, 2),
            "cpu_mhz": partial(_cpu_mhz, used),
            "temperature_c": _temperature_c,
            "on_battery": on_battery,
            **limits(used),
        }
    )
    return merge(cpu, gpus.conditions)


def limits(cpus: Sequence[int], root: Path = Path("/")) -> Mapping[str, Any]:
    """A reader for each thing that may hold these CPUs or this process down.

    Args:
        cpus: those that are used.
        root: folder that holds proc/ and sys/; another than `/` in tests.
    """
    return {
        "governor": lambda: summarised(linux.governors(cpus, root).values()),
        "clock_cap_mhz": lambda: clock_cap_mhz(cpus, root),
        "turbo": lambda: linux.turbo(root),
        "cpu_quota": lambda: round(limited(cgroup.cpu_quota(root), "CPU time"), 3),
        "memory_limit_gib": lambda: round(limited(cgroup.memory(root), "memory").limit_bytes / 2**30, 2),
    }


def summarised(values: Any) -> str:
    """One word where all are alike, else each with how often: "performance x 1, powersave x 3"."""
    found = Counter(values)
    if len(found) == 1:
        return str(next(iter(found)))
    return ", ".join(f"{value} x {count}" for value, count in sorted(found.items()))


def clock_cap_mhz(cpus: Sequence[int], root: Path = Path("/")) -> int:
    """The lowest clock that a CPU of these is capped to.

    Raises:
        AbsentError: none is capped, or no clocks are chosen here.
    """
    capped = linux.capped_mhz(cpus, root)
    if not capped:
        raise AbsentError("no core's clock is capped")
    return min(cap for cap, _ in capped.values())


def _cpu_mhz(cpus: Sequence[int]) -> int:
    """Mean over the CPUs that this process may use."""
    if sys.platform == "linux":
        clocks = list(linux.clocks_mhz(cpus).values())
        return round(sum(clocks) / len(clocks))
    clock = psutil.cpu_freq()
    if clock is None or not clock.current:
        raise UnavailableError("the system does not tell the cores' clock")
    return round(clock.current)


def _temperature_c() -> float:
    """The hottest sensor of the processor."""
    read_sensors = getattr(psutil, "sensors_temperatures", None)  # not on macOS
    sensors = read_sensors() if read_sensors else {}
    names = [name for name in sensors if any(part in name.lower() for part in _CPU_SENSORS)]
    temperatures = [each.current for name in names for each in sensors[name]]
    if not temperatures:
        others = ": what there is belongs to other parts" if sensors else ""
        raise AbsentError(f"the system shows no temperature sensor of the processor{others}")
    return float(max(temperatures))


def on_battery(root: Path = Path("/")) -> bool:
    """Whether the machine itself runs on its battery; that of a mouse or a headset says nothing.

    The kernel's Documentation/ABI/testing/sysfs-class-power: a peripheral's supply has the scope "Device".

    Raises:
        AbsentError: it has none.
    """
    if sys.platform != "linux":
        battery = psutil.sensors_battery()
        if battery is None or battery.power_plugged is None:
            raise AbsentError("the system shows no battery")
        return not battery.power_plugged
    supplies = [each for each in sorted((root / "sys/class/power_supply").glob("*")) if _of_machine(each)]
    batteries = [each for each in supplies if _word(each, "type") == "battery"]
    if not batteries:
        raise AbsentError("the system shows no battery of its own")
    mains = [_word(each, "online") for each in supplies if _word(each, "type") in {"mains", "usb", "wireless"}]
    if "1" in mains:
        return False
    states = {_word(each, "status") for each in batteries}
    if "discharging" in states:
        return True
    if states & {"charging", "full", "not charging"}:
        return False
    if mains:
        return True
    raise UnavailableError("the battery does not tell whether it is in use")


def _of_machine(supply: Path) -> bool:
    return _word(supply, "scope") != "device" and not supply.name.startswith(("hid", "wacom"))


def _word(supply: Path, name: str) -> str:
    return (first_text((supply / name,)) or "").lower()


def limited(limit: T | None, what: str) -> T:
    """The limit of the control groups.

    Raises:
        AbsentError: there is none.
    """
    if limit is None:
        raise AbsentError(f"no control group limits {what}")
    return limit
