"""Stable hardware facts as the Linux kernel tells them: /proc and /sys, no program started."""

import re
from functools import cache
from pathlib import Path

from bench.dna.facts import Facts, UnavailableError, gather

# Beginnings of the flags that say which instructions there are. The rest of the kernel's flags come and go with the
# kernel and the firmware (mitigations, timers, "sme" for memory encryption), and would change a machine's identity.
_ISA_X86 = "abm|adx|aes|amx|avx|bmi|f16c|fma|gfni|mmx|movbe|pclmul|pni|popcnt|sha_ni|sha512|s?sse|vaes|vpclmul|xop"
_ISA_ARM = "aes|asimd|atomics|bf16|crc32|ebf16|fcma|fp|i8mm|lse|pmull|sha|sm3|sm4|sme|sve"
_CACHE_KIND = {"Data": "d", "Instruction": "i", "Unified": ""}


def identity(root: Path = Path("/")) -> Facts:
    """CPU, caches, memory and whether this is a virtual machine.

    Args:
        root: folder that holds proc/ and sys/; another than `/` in tests.
    """

    @cache  # the kernel asks every core for its clock when this file is read
    def processors() -> list[dict[str, str]]:
        blocks = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").strip().split("\n\n")
        pairs = [[line.partition(":") for line in block.splitlines() if ":" in line] for block in blocks]
        return [{key.strip(): value.strip() for key, _, value in each} for each in pairs]

    def told(*names: str) -> str:
        """The first of these fields, each the name of one fact on one architecture."""
        for processor in processors():
            for name in names:
                if processor.get(name):
                    return " ".join(processor[name].split())
        raise UnavailableError(f"/proc/cpuinfo does not tell {names[0]!r}")

    def isa() -> list[str]:
        flags = told("flags", "Features").split()
        known = re.compile(_ISA_X86 if "flags" in processors()[0] else _ISA_ARM)
        return sorted({flag for flag in flags if known.match(flag)})

    def hypervisor() -> bool:
        if "flags" not in processors()[0]:
            raise UnavailableError("Linux tells it on x86 only")
        return "hypervisor" in processors()[0]["flags"].split()

    return gather(
        {
            "cpu_vendor": lambda: told("vendor_id", "CPU implementer"),
            "cpu_family": lambda: told("cpu family", "CPU architecture"),
            "cpu_model": lambda: told("model", "CPU part"),
            "cpu_stepping": lambda: told("stepping", "CPU revision"),
            "cpu_brand": lambda: told("model name"),
            "cpu_isa": isa,
            "cpu_sockets": lambda: _different(root, "physical_package_id"),
            "cpu_cores": lambda: _different(root, "thread_siblings_list"),
            "cpu_threads": lambda: sum("processor" in each for each in processors()),
            "cache_kib": lambda: _caches_kib(root),
            "numa_nodes": lambda: _numa_nodes(root),
            "memory_gib": lambda: _memory_gib(root),
            "hypervisor": hypervisor,
        }
    )


def governor(root: Path = Path("/")) -> str:
    """How the first core's clock is chosen.

    Raises:
        OSError: the kernel does not tell (most virtual machines).
    """
    return (root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()


def _different(root: Path, name: str) -> int:
    """How many different values the cores have in one file of their topology."""
    files = sorted((root / "sys/devices/system/cpu").glob(f"cpu[0-9]*/topology/{name}"))
    if not files:
        raise UnavailableError(f"/sys has no topology of the cores ({name})")
    return len({file.read_text().strip() for file in files})


def _caches_kib(root: Path) -> dict[str, int]:
    sizes = {}
    for folder in sorted((root / "sys/devices/system/cpu/cpu0/cache").glob("index[0-9]*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        sizes[f"L{level}{_CACHE_KIND[kind]}"] = int(size.removesuffix("K"))
    if not sizes:
        raise UnavailableError("/sys does not tell the caches")
    return sizes


def _numa_nodes(root: Path) -> int:
    nodes = len(list((root / "sys/devices/system/node").glob("node[0-9]*")))
    if not nodes:
        raise UnavailableError("/sys does not tell the memory nodes")
    return nodes


def _memory_gib(root: Path) -> int:
    """Rounded: what the kernel keeps for itself differs from one kernel to the next."""
    text = (root / "proc/meminfo").read_text()
    found = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    if not found:
        raise UnavailableError("/proc/meminfo does not tell 'MemTotal'")
    return round(int(found[1]) / 2**20)
