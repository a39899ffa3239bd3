"""The host as it is now, from recorded files and values."""

import os
from types import SimpleNamespace

import psutil
import pytest

from bench.dna.machine import Machine
from bench.health import host

FOUR = Machine(cpu_ids=(0, 1, 2, 3), pinnable=True, memory_bytes=16 * 2**30)
CLOCK = "sys/devices/system/clocksource/clocksource0/current_clocksource"
GOVERNOR = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"


@pytest.fixture
def look(tmp_path, monkeypatch):
    """What is found on a machine with these files, this load and this battery: {name: Check}."""

    def found(files=None, load=0.1, cores=4, battery=None, swapped=0):
        for name, text in (files or {}).items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
        monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(used=swapped))
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * 2**30))
        return {check.name: check for check in host.checks(FOUR, tmp_path)}

    return found


@pytest.mark.parametrize(
    ("load", "cores", "level"),
    [
        (0.9, 4, "ok"),  # a quarter of our cores, no more
        (1.2, 4, "warning"),
        (40.0, 64, "ok"),  # the host's other 60 cores carry it
        (63.0, 64, "warning"),
        (3.0, None, "warning"),  # nobody tells how many cores there are
    ],
)
def test_load_counts_where_it_reaches_our_cores(look, load, cores, level):
    check = look(load=load, cores=cores)["load"]
    assert (check.level, bool(check.fix)) == (level, level == "warning")
    assert f"load {load:.1f}" in check.text


def test_a_laptop_on_battery_is_told_to_be_plugged_in(look):
    assert look(battery=SimpleNamespace(percent=41.2, power_plugged=False))["battery"].fix == "plug it in"
    assert look(battery=SimpleNamespace(percent=41.2, power_plugged=True))["battery"].level == "ok"


@pytest.mark.parametrize("battery", [None, SimpleNamespace(percent=50, power_plugged=None)])
def test_a_machine_that_shows_no_battery_has_no_such_check(look, battery):
    assert "battery" not in look(battery=battery)


def test_swap_is_heavy_from_a_quarter_of_the_memory_on(look):
    assert look(swapped=3 * 2**30)["swap"].level == "ok"
    assert look(swapped=5 * 2**30)["swap"].level == "warning"


@pytest.mark.parametrize(
    ("file", "text", "name", "level"),
    [
        (GOVERNOR, "powersave\n", "governor", "warning"),
        (GOVERNOR, "performance\n", "governor", "ok"),
        (CLOCK, "tsc\n", "clock_source", "ok"),
        (CLOCK, "arch_sys_counter\n", "clock_source", "ok"),
        (CLOCK, "hpet\n", "clock_source", "warning"),
        ("proc/version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n", "kernel", "warning"),
        ("proc/version", "Linux version 4.19.0-gvisor #1 SMP\n", "kernel", "warning"),
    ],
)
def test_what_the_kernel_tells_is_judged(look, file, text, name, level):
    assert look({file: text})[name].level == level


def test_an_ordinary_kernel_is_nothing_to_speak_of(look):
    assert "kernel" not in look({"proc/version": "Linux version 4.4.0-210-generic (buildd@lgw01) #242-Ubuntu SMP\n"})


def test_a_machine_that_hides_everything_gives_no_check_and_no_error(look, monkeypatch, tmp_path):
    look()

    def hidden(*_):
        raise OSError("not here")

    for module, name in ((os, "getloadavg"), (psutil, "swap_memory"), (psutil, "sensors_battery")):
        monkeypatch.setattr(module, name, hidden)
    assert host.checks(FOUR, tmp_path) == []
    monkeypatch.delattr(psutil, "sensors_battery")
    assert host.checks(FOUR, tmp_path) == []
