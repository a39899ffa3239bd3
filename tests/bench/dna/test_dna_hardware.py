"""Stable facts: the same after a reboot, in another locale, on a busy machine; different on another machine."""

import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.dna import facts, gpu, hardware, linux, macos
from tests.bench.dna.linux_files import X86, a_linux

ARM = """processor\t: {number}
BogoMIPS\t: 50.00
Features\t: fp asimd aes sha2 crc32 atomics asimddp sve bf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd40
CPU revision\t: 1
"""
SYSCTL = """hw.ncpu: 8
hw.physicalcpu_max: 8
hw.logicalcpu_max: 8
hw.packages: 1
hw.nperflevels: 2
hw.perflevel0.physicalcpu_max: 4
hw.perflevel1.physicalcpu_max: 4
hw.cputype: 16777228
hw.cpufamily: 1598941843
hw.cpusubfamily: 2
hw.cpusubtype: 2
hw.l1icachesize: 131072
hw.l1dcachesize: 65536
hw.l2cachesize: 4194304
hw.memsize: 17179869184
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
hw.optional.neon: 1
machdep.cpu.brand_string: Apple M3
machdep.cpu.core_count: 8
kern.hv_vmm_present: 0
"""

# The form of a Mac with Apple silicon; made up, like the text above.
DISPLAYS = """{"SPDisplaysDataType": [{"_name": "Apple M3", "sppci_cores": "10", "sppci_model": "Apple M3",
"spdisplays_ndrvs": [{"_spdisplays_display-serial-number": "zebra"}]}]}"""


def test_linux_tells_what_the_machine_is(tmp_path):
    found = linux.identity(a_linux(tmp_path / "root"))
    assert found.unavailable == {}
    assert found.values == {
        "cpu_vendor": "GenuineIntel",
        "cpu_family": "6",
        "cpu_model": "143",
        "cpu_stepping": "8",
        "cpu_brand": "Intel(R) Xeon(R) Platinum 8480+",
        "cpu_isa": ["amx_bf16", "avx", "avx2", "avx512f", "sse", "sse2"],
        "cpu_sockets": 2,
        "cpu_cores": 4,
        "cpu_threads": 8,
        "cache_kib": {"L1d": 48, "L1i": 32, "L2": 2048},
        "numa_nodes": 2,
        "memory_gib": 64,
        "hypervisor": True,
    }


def test_a_reboot_with_new_firmware_and_another_kernel_is_the_same_machine(tmp_path):
    before = linux.identity(a_linux(tmp_path / "root"))
    after = linux.identity(
        a_linux(tmp_path / "root", microcode="0x2c", mhz=3100.5, extra="ibrs_enhanced flush_l1d", memory_kb=65_790_512)
    )
    assert before == after


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"cores": 8}, "cpu_cores"),
        ({"threads_per_core": 1}, "cpu_threads"),
        ({"memory_kb": 131_572_000}, "memory_gib"),
        ({"extra": "avx512_vnni"}, "cpu_isa"),
        ({"text": X86.replace("8480+", "8490H")}, "cpu_brand"),
    ],
)
def test_another_machine_tells_something_else(tmp_path, change, fact):
    before = linux.identity(a_linux(tmp_path / "root")).values
    after = linux.identity(a_linux(tmp_path / "root", **change)).values
    assert before[fact] != after[fact]


def test_an_arm_server_is_told_by_its_numbers_and_what_it_lacks_has_a_reason(tmp_path):
    found = linux.identity(a_linux(tmp_path / "root", text=ARM))
    assert (found.values["cpu_vendor"], found.values["cpu_model"]) == ("0x41", "0xd40")
    assert found.values["cpu_isa"] == ["aes", "asimd", "asimddp", "atomics", "bf16", "crc32", "fp", "sha2", "sve"]
    assert set(found.unavailable) == {"cpu_brand", "hypervisor"}
    assert "model name" in found.unavailable["cpu_brand"]


def test_a_machine_that_hides_sys_loses_those_facts_only(tmp_path):
    root = a_linux(tmp_path / "root")
    shutil.rmtree(root / "sys")
    found = linux.identity(root)
    assert set(found.unavailable) == {"cpu_sockets", "cpu_cores", "cache_kib", "numa_nodes"}
    assert found.values["cpu_threads"] == 8


def test_macos_tells_what_the_machine_is():
    """From text in sysctl's form; no Mac stands behind this test."""
    found = macos.identity(lambda: SYSCTL, lambda: DISPLAYS)
    assert found.unavailable == {"numa_nodes": "absent: macOS does not tell the memory nodes"}
    assert found.values["cpu_brand"] == "Apple M3"
    assert found.values["cpu_core_kinds"] == [4, 4]
    assert found.values["cpu_isa"] == ["feat_bf16", "neon"]
    assert found.values["cache_kib"] == {"L1d": 64, "L1i": 128, "L2": 4096}
    assert found.values["memory_gib"] == 16
    assert found.values["gpu_cores"] == 10
    assert "zebra" not in str(found), "a screen's serial number"
    assert found.values["hypervisor"] is False


@pytest.mark.parametrize("given", ["", "{}", '{"SPDisplaysDataType": [{"_name": "A screen alone"}]}'])
def test_a_mac_that_does_not_tell_its_gpu_has_a_reason(given):
    found = macos.identity(lambda: SYSCTL, lambda: given)
    assert "gpu_cores" in found.unavailable
    assert "gpu_cores" not in found.values


def test_a_mac_whose_sysctl_hangs_has_a_reason_for_every_fact():
    def hang():
        raise facts.UnavailableError("sysctl gave no answer in 5 s")

    found = macos.identity(hang, hang)
    assert found.values == {}
    assert "unreadable: sysctl gave no answer in 5 s" in set(found.unavailable.values())


class NVMLError(Exception):
    pass


def an_nvml(*names, refuses=(), init=None):
    """A driver with these cards: the functions that are asked for, and its shutdown counted."""

    def of(name, value):
        def ask(card, *_):
            if name in refuses:
                raise NVMLError("Not Supported")
            return value(card) if callable(value) else value

        return ask

    nvml = SimpleNamespace(NVMLError=NVMLError, NVML_CLOCK_SM=1, NVML_CLOCK_MEM=2, NVML_TEMPERATURE_GPU=0, ended=0)
    answers = {
        "Name": lambda card: names[card],
        "CudaComputeCapability": (9, 0),
        "NumGpuCores": 16896,
        "MemoryInfo": SimpleNamespace(total=80 * 2**30 + 5_000_000, used=2**30),
        "MemoryBusWidth": 5120,
        "MaxClockInfo": 1980,
        "MaxPcieLinkGeneration": 5,
        "MaxPcieLinkWidth": 16,
        "EccMode": [1, 1],
        "MigMode": [0, 0],
        "ClockInfo": 1755,
        "PowerUsage": 123_456,
        "EnforcedPowerLimit": 700_000,
        "Temperature": 41,
        "CurrentClocksThrottleReasons": 1,
        "UtilizationRates": SimpleNamespace(gpu=7),
    }
    for name, value in answers.items():
        setattr(nvml, f"nvmlDeviceGet{name}", of(name, value))

    def start():
        if init:
            raise NVMLError(init)

    def end():
        nvml.ended += 1

    nvml.nvmlInit, nvml.nvmlShutdown = start, end
    nvml.nvmlDeviceGetCount = lambda: len(names)
    nvml.nvmlDeviceGetHandleByIndex = lambda index: index
    nvml.nvmlSystemGetDriverVersion = lambda: "580.65.06"
    return nvml


def test_a_gpu_is_told_by_what_stays_and_its_state_apart_from_it():
    nvml = an_nvml("NVIDIA H100 80GB HBM3")
    found = gpu.read(nvml)
    assert found.identity.values == {
        "gpus": [
            {
                "name": "NVIDIA H100 80GB HBM3",
                "compute_capability": "9.0",
                "cores": 16896,
                "memory_gib": 80,
                "memory_bus_bits": 5120,
                "max_sm_clock_mhz": 1980,
                "max_memory_clock_mhz": 1980,
                "pcie_generation": 5,
                "pcie_lanes": 16,
                "ecc": True,
                "mig": False,
            }
        ]
    }
    (state,) = found.conditions.values["gpus"]
    assert state["power_w"] == 123.456
    assert state["utilization"] == 0.07
    assert not set(state) & set(found.identity.values["gpus"][0])
    assert found.driver.values == {"driver": "580.65.06"}
    assert nvml.ended == 1


def test_what_a_driver_does_not_tell_is_absent_with_its_reason_and_never_zero():
    found = gpu.read(an_nvml("A100", "T4", refuses={"PowerUsage", "EccMode"}))
    assert all("ecc" not in card for card in found.identity.values["gpus"])
    assert found.identity.unavailable == {
        f"gpus.{index}.ecc": "absent: NVIDIA driver: Not Supported" for index in range(2)
    }
    assert set(found.conditions.unavailable) == {"gpus.0.power_w", "gpus.1.power_w"}


def test_a_machine_without_the_driver_has_no_gpu_fact_but_a_reason():
    found = gpu.read(an_nvml(init="NVML Shared Library Not Found"))
    for part, name in ((found.identity, "gpus"), (found.conditions, "gpus"), (found.driver, "driver")):
        assert part.values == {}
        assert part.unavailable == {name: "absent: NVIDIA driver: NVML Shared Library Not Found"}


@pytest.fixture
def cpuinfo(monkeypatch, tmp_path):
    """py-cpuinfo as a list of the questions it got; its answer can be changed."""
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    asked = SimpleNamespace(count=0, answer='{"brand_raw": "Neoverse-V1"}')

    def answer(argv, *, called, timeout_s):
        asked.count += 1
        if isinstance(asked.answer, Exception):
            raise asked.answer
        return asked.answer

    monkeypatch.setattr(hardware, "answer_of", answer)
    return asked


def test_the_system_s_own_name_of_the_cpu_needs_no_program(cpuinfo):
    assert hardware.cpu_label({"cpu_brand": "Apple M3"}) == "Apple M3"
    assert cpuinfo.count == 0


def test_py_cpuinfo_is_asked_once_a_machine(cpuinfo):
    assert [hardware.cpu_label({"cpu_model": "0xd40"}) for _ in range(3)] == ["Neoverse-V1"] * 3
    assert cpuinfo.count == 1
    cpuinfo.answer = '{"brand_raw": "Cortex-A76"}'
    assert hardware.cpu_label({"cpu_model": "0xd0b"}) == "Cortex-A76"  # another machine on the same home


def test_a_cache_that_is_torn_or_cannot_be_written_costs_time_and_nothing_else(cpuinfo, monkeypatch, tmp_path):
    hardware.cpu_label({"cpu_model": "0xd40"})
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text('"Neov')
    assert hardware.cpu_label({"cpu_model": "0xd40"}) == "Neoverse-V1"
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "a-file" / "cache"))
    assert hardware.cpu_label({"cpu_model": "0xd40"}) == "Neoverse-V1"
    assert cpuinfo.count == 3


@pytest.mark.parametrize("answer", [facts.UnavailableError("py-cpuinfo gave no answer in 10 s"), "{}", "torn"])
def test_a_py_cpuinfo_that_does_not_answer_gives_a_reason_and_is_asked_again_a_day_later(cpuinfo, monkeypatch, answer):
    cpuinfo.answer = answer
    for _ in range(2):
        with pytest.raises(facts.UnavailableError, match="py-cpuinfo"):
            hardware.cpu_label({"cpu_model": "0xd40"})
    assert cpuinfo.count == 1, "ten seconds in every command, for a name"
    cpuinfo.answer = '{"brand_raw": "Neoverse-V1"}'
    later = time.time() + 86_401
    monkeypatch.setattr(time, "time", lambda: later)
    assert hardware.cpu_label({"cpu_model": "0xd40"}) == "Neoverse-V1"


def test_the_real_py_cpuinfo_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    label = hardware.cpu_label({"cpu_model": "not of this world"})
    assert label
    assert "/" not in label
    assert len(list(tmp_path.iterdir())) == 1


def test_a_program_that_hangs_is_ended_and_named_without_its_path():
    with pytest.raises(facts.UnavailableError) as error:
        facts.answer_of([shutil.which("sleep"), "60"], called="sleep", timeout_s=0.2)
    assert str(error.value) == "sleep gave no answer in 0.2 s"
    with pytest.raises(facts.UnavailableError, match="cannot be started"):
        facts.answer_of([str(Path.home() / "nowhere")], called="it", timeout_s=1)


def test_one_reader_that_fails_costs_its_own_fact():
    def torn():
        return int("12x")

    found = facts.gather({"good": lambda: 1, "torn": torn, "gone": Path("/nowhere/at/all").read_text})
    assert found.values == {"good": 1}
    assert "ValueError" in found.unavailable["torn"]
    assert found.unavailable["gone"] == "unreadable: … No such file or directory", (
        "whose folder it is, is nobody's business"
    )
