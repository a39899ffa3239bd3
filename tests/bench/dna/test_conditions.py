"""What holds a machine down, from files in the kernel's form."""

from types import SimpleNamespace

import psutil
import pytest

from bench.dna import conditions, linux
from bench.dna.facts import AbsentError, UnavailableError, gather, is_absent

CPUS = "sys/devices/system/cpu"


@pytest.fixture
def root(tmp_path):
    def written(**files):
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")
        return tmp_path

    return written


def clock(cpu, **found):
    return {f"{CPUS}/cpu{cpu}/cpufreq/{name}": text for name, text in found.items()}


def test_every_used_core_speaks_for_itself(root):
    files = clock(0, scaling_governor="performance") | clock(1, scaling_governor="powersave")
    there = root(**files, **clock(2, scaling_governor="powersave"))
    assert conditions.summarised(linux.governors((0,), there).values()) == "performance"
    assert conditions.summarised(linux.governors((1, 2), there).values()) == "powersave"
    assert conditions.summarised(linux.governors((0, 1, 2), there).values()) == "performance x 1, powersave x 2"


def test_a_policy_speaks_for_a_core_without_a_file_of_its_own(root):
    assert linux.governors((3,), root(**{f"{CPUS}/cpufreq/policy3/scaling_governor": "schedutil"})) == {3: "schedutil"}


def test_a_machine_without_clocks_to_choose_is_not_one_that_hides_them(root, tmp_path):
    with pytest.raises(UnavailableError) as hidden:
        linux.governors((0,), tmp_path)
    assert not isinstance(hidden.value, AbsentError)
    with pytest.raises(AbsentError):
        linux.governors((0,), root(**{f"{CPUS}/online": "0"}))


def test_a_cap_is_told_with_what_the_core_can_do(root):
    there = root(
        **clock(0, scaling_max_freq=4_000_000, cpuinfo_max_freq=4_000_000),
        **clock(1, scaling_max_freq=1_000_000, cpuinfo_max_freq=4_000_000),
    )
    assert linux.capped_mhz((0, 1), there) == {1: (1000, 4000)}
    assert conditions.clock_cap_mhz((0, 1), there) == 1000
    with pytest.raises(AbsentError):
        conditions.clock_cap_mhz((0,), there)


@pytest.mark.parametrize(
    ("file", "text", "allowed"),
    [("intel_pstate/no_turbo", "1", False), ("intel_pstate/no_turbo", "0", True), ("cpufreq/boost", "0", False)],
)
def test_turbo_is_told_whoever_drives_the_clock(root, file, text, allowed):
    assert linux.turbo(root(**{f"{CPUS}/{file}": text})) is allowed


def test_a_core_that_is_offline_has_no_clock_and_not_zero(root):
    there = root(**clock(0, scaling_cur_freq=2_000_000), **clock(1, scaling_cur_freq=0))
    assert linux.clocks_mhz((0, 1), there) == {0: 2000}


def test_the_hottest_disk_is_not_the_processor(monkeypatch):
    disk, core = SimpleNamespace(current=70.0), SimpleNamespace(current=41.0)
    for sensors, given in (
        ({"nvme": [disk], "coretemp": [core]}, 41.0),
        ({"drivetemp": [disk], "bigcore0_thermal": [core]}, 41.0),
        ({"nvme": [disk], "iwlwifi_1": [disk]}, None),
    ):
        monkeypatch.setattr(psutil, "sensors_temperatures", lambda sensors=sensors: sensors, raising=False)
        found = gather({"temperature_c": conditions._temperature_c})
        assert found.values.get("temperature_c") == given
        assert given is not None or is_absent(found.unavailable["temperature_c"])
