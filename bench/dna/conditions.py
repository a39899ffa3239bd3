"""The state of the machine at one moment: stored beside every launch, part of no id."""

import os

import psutil

from bench.dna import linux, machine
from bench.dna.facts import Facts, UnavailableError, gather, merge
from bench.dna.gpu import Gpus


def read(gpus: Gpus) -> Facts:
    """Load, clocks, temperature and power now, and what of the machine this process may use.

    Args:
        gpus: what the graphics driver told (`bench.dna.gpu.read`).
    """
    cpu = gather(
        {
            "load_1m": lambda: round(os.getloadavg()[0], 2),
            "usable_threads": lambda: len(machine.usable_cpus()),
            "available_gib": lambda: round(psutil.virtual_memory().available / 2**30, 2),
            "cpu_mhz": _cpu_mhz,
            "governor": linux.governor,
            "temperature_c": _temperature_c,
            "on_battery": _on_battery,
        }
    )
    return merge(cpu, gpus.conditions)


def _cpu_mhz() -> int:
    """Mean over the cores."""
    clock = psutil.cpu_freq()
    if clock is None or not clock.current:
        raise UnavailableError("the system does not tell the cores' clock")
    return round(clock.current)


def _temperature_c() -> float:
    """The hottest sensor."""
    read_sensors = getattr(psutil, "sensors_temperatures", None)  # not on macOS
    sensors = read_sensors() if read_sensors else {}
    temperatures = [each.current for group in sensors.values() for each in group]
    if not temperatures:
        raise UnavailableError("the system shows no temperature sensor")
    return float(max(temperatures))


def _on_battery() -> bool:
    battery = psutil.sensors_battery()
    if battery is None or battery.power_plugged is None:
        raise UnavailableError("the system shows no battery")
    return not battery.power_plugged
