"""Stable hardware facts as the Linux kernel tells them: /proc and /sys, no program started."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bench.dna import cpuinfo
from bench.dna.facts import AbsentError, Facts, UnavailableError, first_text, gather, text_of

_CACHE_KIND = {"Data": "d", "Instruction": "i", "Unified": ""}
_CPUS = "sys/devices/system/cpu"


def identity(root: Path = Path("/")) -> Facts:
    """CPU, caches, memory and whether this is a virtual machine.

    Args:
        root: folder that holds proc/ and sys/; another than `/` in tests.
    """

    @cache  # the kernel asks every core for its clock when this file is read
    def info() -> cpuinfo.CpuInfo:
        return cpuinfo.read(root)

    def field(names: Sequence[str]) -> str:
        return cpuinfo.first(info(), names)

    def hypervisor() -> bool:
        flags = info().of(min(info().processors), ("flags",))
        if flags is None:
            raise AbsentError("Linux tells it on x86 only")
        return "hypervisor" in flags.split()

    def cores_and_sockets(place: int, name: str) -> int:
        """From /proc/cpuinfo, which a container shows too; else from /sys."""
        found = cpuinfo.cores_and_sockets(info())
        return found[place] if found else _different(root, name)

    facts = gather(
        {
            "cpu_vendor": lambda: field(cpuinfo.VENDOR),
            "cpu_family": lambda: field(cpuinfo.FAMILY),
            "cpu_model": lambda: field(cpuinfo.MODEL),
            "cpu_stepping": lambda: field(cpuinfo.STEPPING),
            "cpu_brand": lambda: field(cpuinfo.BRAND),
            "cpu_isa": lambda: cpuinfo.isa(info()),
            "cpu_sockets": lambda: cores_and_sockets(1, "physical_package_id"),
            "cpu_cores": lambda: cores_and_sockets(0, "thread_siblings_list"),
            "cpu_threads": lambda: len(info().processors),
            "cpu_kinds": lambda: cpuinfo.kinds(info()),
            "cache_kib": lambda: _caches_kib(root),
            "numa_nodes": lambda: _numa_nodes(root),
            "memory_gib": lambda: memory_class_gib(_memory_total_kib(root)),
            "hypervisor": hypervisor,
        }
    )
    if len(facts.values.get("cpu_kinds", {})) > 1 or "cpu_kinds" in facts.unavailable:
        return facts
    # Where all are alike, the other facts say it; so machines keep the identity they had before kinds were recorded.
    values = {name: value for name, value in facts.values.items() if name != "cpu_kinds"}
    return Facts(values=values, unavailable=facts.unavailable)


def governors(cpus: Sequence[int], root: Path = Path("/")) -> dict[int, str]:
    """How the clock of each of these CPUs is chosen.

    Raises:
        AbsentError: the kernel chooses no clocks here (most virtual machines).
        UnavailableError: it hides how.
    """
    found = {cpu: text for cpu in cpus if (text := _of_clock(root, cpu, "scaling_governor"))}
    if not found:
        raise _no_clocks(root)
    return found


def clocks_mhz(cpus: Sequence[int], root: Path = Path("/")) -> dict[int, int]:
    """The clock of each of these CPUs now; a CPU that is offline or does not tell has none.

    Raises:
        AbsentError, UnavailableError: none of them tells.
    """
    found = {
        cpu: round(int(text) / 1000)
        for cpu in cpus
        if (text := _of_clock(root, cpu, "scaling_cur_freq")) and text.isdecimal() and int(text) > 0
    }
    if found:
        return found
    info = cpuinfo.read(root)
    texts = {cpu: info.of(cpu, ("cpu MHz", "clock", "CPU MHz", "cpu MHz dynamic")) for cpu in cpus}
    found = {cpu: round(float(text.removesuffix("MHz"))) for cpu, text in texts.items() if text}
    if not any(found.values()):
        raise UnavailableError("neither /sys nor /proc/cpuinfo tells the cores' clock")
    return {cpu: mhz for cpu, mhz in found.items() if mhz}


def capped_mhz(cpus: Sequence[int], root: Path = Path("/")) -> dict[int, tuple[int, int]]:
    """CPUs whose highest clock is set below what they can do: the cap, and what they can. Empty: none is.

    Raises:
        AbsentError, UnavailableError: none of them tells.
    """
    found = {}
    for cpu in cpus:
        cap, able = (_of_clock(root, cpu, name) for name in ("scaling_max_freq", "cpuinfo_max_freq"))
        if cap and able and cap.isdecimal() and able.isdecimal():
            found[cpu] = (round(int(cap) / 1000), round(int(able) / 1000))
    if not found:
        raise _no_clocks(root)
    return {cpu: (cap, able) for cpu, (cap, able) in found.items() if cap < able}


def turbo(root: Path = Path("/")) -> bool:
    """Whether clocks above the nominal one are allowed.

    Raises:
        AbsentError: the kernel has no such switch here.
    """
    if (off := first_text((root / _CPUS / "intel_pstate/no_turbo",))) in {"0", "1"}:
        return off == "0"
    if (on := first_text((root / _CPUS / "cpufreq/boost",))) in {"0", "1"}:
        return on == "1"
    raise AbsentError("the kernel shows no switch of turbo clocks")


def memory_class_gib(total_kib: int) -> int:
    """Installed memory, as the next size that is sold: 1, 2, 3, 4, 6, 8, 12, 16, 24, ... GiB.

    The kernel tells what it has left after what it keeps for itself: 1 to 6 % of what is installed, another share with
    every update. So the next size above is the same before and after; rounding to the nearest GiB is not.
    """
    gib, size = total_kib / 2**20, 1
    while size < gib:
        # 1, 2, then 3, 4, 6, 8, 12, ...: powers of two, and the steps half-way between them
        size = size + 1 if size < 2 else size * 3 // 2 if size & (size - 1) == 0 else size // 3 * 4
    return size


def _memory_total_kib(root: Path) -> int:
    found = re.search(r"^MemTotal:\s+(\d+) kB", text_of(root / "proc/meminfo"), re.MULTILINE)
    if not found:
        raise UnavailableError("/proc/meminfo does not tell 'MemTotal'")
    return int(found[1])


def _of_clock(root: Path, cpu: int, name: str) -> str | None:
    """A file of one CPU's clock; its policy holds it where the CPU has none of its own."""
    cpus = root / _CPUS
    return first_text((cpus / f"cpu{cpu}/cpufreq/{name}", cpus / f"cpufreq/policy{cpu}/{name}"))


def _no_clocks(root: Path) -> UnavailableError:
    if (root / _CPUS / "online").exists():
        return AbsentError("the kernel chooses no clocks here (no cpufreq)")
    return UnavailableError("/sys does not show the CPUs")


def _different(root: Path, name: str) -> int:
    """How many different values the cores have in one file of their topology."""
    files = sorted((root / _CPUS).glob(f"cpu[0-9]*/topology/{name}"))
    if not files:
        raise UnavailableError(f"/sys has no topology of the cores ({name})")
    return len({text_of(file) for file in files})


def _caches_kib(root: Path) -> dict[str, int]:
    sizes = {}
    for folder in sorted((root / "sys/devices/system/cpu/cpu0/cache").glob("index[0-9]*")):
        level, kind, size = (text_of(folder / name) for name in ("level", "type", "size"))
        sizes[f"L{level}{_CACHE_KIND.get(kind, kind)}"] = int(size.removesuffix("K"))
    if not sizes:
        raise UnavailableError("/sys does not tell the caches")
    return sizes


def _numa_nodes(root: Path) -> int:
    nodes = len(list((root / "sys/devices/system/node").glob("node[0-9]*")))
    if not nodes:
        raise UnavailableError("/sys does not tell the memory nodes")
    return nodes
