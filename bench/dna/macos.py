"""Stable hardware facts as macOS tells them: one call of sysctl, and one of system_profiler for the GPU's cores."""

import json
from collections.abc import Callable
from functools import cache

from bench.dna.facts import AbsentError, Facts, UnavailableError, answer_of, gather


def sysctl() -> str:
    """What sysctl tells of the hardware. It holds nothing personal; serial numbers are elsewhere.

    Raises:
        UnavailableError: it gives no answer in time.
    """
    argv = ["/usr/sbin/sysctl", "hw", "machdep.cpu", "kern.hv_vmm_present"]
    return answer_of(argv, called="sysctl", timeout_s=5)


def displays() -> str:
    """What system_profiler tells of GPUs and screens, as JSON. It holds screens' serial numbers: keep none of it.

    Raises:
        UnavailableError: it gives no answer in time.
    """
    argv = ["/usr/sbin/system_profiler", "SPDisplaysDataType", "-json"]
    return answer_of(argv, called="system_profiler", timeout_s=10)


def identity(ask: Callable[[], str] = sysctl, ask_displays: Callable[[], str] = displays) -> Facts:
    """CPU, caches, memory, the GPU's cores, and whether this is a virtual machine.

    Args:
        ask: gives the lines `name: value`; another than `sysctl` in tests.
        ask_displays: gives the JSON; another than `displays` in tests.
    """

    @cache
    def answers() -> dict[str, str]:
        pairs = [line.partition(":") for line in ask().splitlines()]
        return {name.strip(): value.strip() for name, _, value in pairs}

    def field(*names: str) -> str:
        for name in names:
            if answers().get(name):
                return answers()[name]
        raise UnavailableError(f"sysctl does not tell {names[0]}")

    def isa() -> list[str]:
        """Intel lists names; Apple has a switch for each."""
        listed = [answers().get(f"machdep.cpu.{name}", "") for name in ("features", "leaf7_features")]
        switches = {
            name.rpartition(".")[2] for name, on in answers().items() if name.startswith("hw.optional.") and on == "1"
        }
        return sorted({flag.lower() for text in listed for flag in text.split()} | {each.lower() for each in switches})

    def core_kinds() -> list[int]:
        """Cores of each kind, fastest kind first."""
        kinds = [answers().get(f"hw.perflevel{level}.physicalcpu_max") for level in range(int(field("hw.nperflevels")))]
        return [int(each) for each in kinds if each is not None]

    def caches_kib() -> dict[str, int]:
        names = {"L1d": "hw.l1dcachesize", "L1i": "hw.l1icachesize", "L2": "hw.l2cachesize", "L3": "hw.l3cachesize"}
        return {level: int(answers()[name]) // 1024 for level, name in names.items() if name in answers()}

    def gpu_cores() -> int:
        found = [
            each["sppci_cores"] for each in json.loads(ask_displays())["SPDisplaysDataType"] if "sppci_cores" in each
        ]
        if not found:
            raise UnavailableError("system_profiler does not tell the GPU's cores")
        return int(found[0])

    def numa_nodes() -> int:
        raise AbsentError("macOS does not tell the memory nodes")

    return gather(
        {
            "cpu_vendor": lambda: field("machdep.cpu.vendor", "hw.cputype"),
            "cpu_family": lambda: field("machdep.cpu.family", "hw.cpufamily"),
            "cpu_model": lambda: field("machdep.cpu.model", "hw.cpusubfamily"),
            "cpu_stepping": lambda: field("machdep.cpu.stepping", "hw.cpusubtype"),
            "cpu_brand": lambda: field("machdep.cpu.brand_string"),
            "cpu_isa": isa,
            "cpu_sockets": lambda: int(field("hw.packages")),
            "cpu_cores": lambda: int(field("hw.physicalcpu_max")),
            "cpu_threads": lambda: int(field("hw.logicalcpu_max")),
            "cpu_core_kinds": core_kinds,
            "cache_kib": caches_kib,
            "numa_nodes": numa_nodes,
            "memory_gib": lambda: round(int(field("hw.memsize")) / 2**30),
            "gpu_cores": gpu_cores,
            "hypervisor": lambda: field("kern.hv_vmm_present") == "1",
        }
    )
