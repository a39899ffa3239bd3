"""The host as it is now, from recorded files and values."""

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

    def found(files=None, share=0.1, swapped=0):
        for name, text in (files or {}).items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.setattr(host, "others_now", lambda _: share)
        monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(used=swapped))
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * 2**30))
        return {check.name: check for check in host.checks(FOUR, tmp_path)}

    return found


@pytest.mark.parametrize(("share", "level"), [(0.0, "ok"), (0.25, "ok"), (0.3, "warning"), (2.0, "warning")])
def test_what_others_use_of_our_cores_now_is_told_with_what_to_do(look, share, level):
    check = look(share=share)["load"]
    assert (check.level, bool(check.fix)) == (level, level == "warning")
    assert f"others use {share:.0%} of our 4 cores now" in check.text


def a_supply(name, **found):
    return {f"sys/class/power_supply/{name}/{each}": f"{text}\n" for each, text in found.items()}


LAPTOP = a_supply("BAT0", type="Battery", status="Discharging", scope="System")


def test_a_laptop_on_battery_is_told_to_be_plugged_in(look):
    assert look(LAPTOP)["battery"].fix == "plug it in"
    assert look(LAPTOP | a_supply("AC", type="Mains", online="1"))["battery"].level == "ok"


@pytest.mark.parametrize(
    "supplies",
    [
        {},
        a_supply("hidpp_battery_0", type="Battery", scope="Device", status="Discharging"),  # a mouse
        a_supply("hid-ac:7a", type="Battery", status="Discharging"),  # a headset that tells no scope
        a_supply("AC", type="Mains", online="1"),
        a_supply("BAT0", type="Battery", status="Unknown"),  # it does not tell
    ],
)
def test_a_machine_that_shows_no_battery_of_its_own_has_no_such_check(look, supplies):
    assert "battery" not in look(supplies)


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

    for module, name in ((host, "others_now"), (psutil, "swap_memory")):
        monkeypatch.setattr(module, name, hidden)
    assert host.checks(FOUR, tmp_path) == []
