"""/proc/cpuinfo, processor by processor, on every architecture that has one: each writes it in a form of its own.

The forms stand in the kernel's `show_cpuinfo`, under arch/: x86/kernel/cpu/proc.c, arm64/kernel/cpuinfo.c,
riscv/kernel/cpu.c, s390/kernel/processor.c, powerpc/kernel/setup-common.c, loongarch/kernel/proc.c. What is not written
of a processor is unknown, never zero, and never what is written of the board.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.dna.facts import READ_FAILURES, AbsentError, UnavailableError, text_of

# Field of each fact, the first that is there. Some are of the whole file (s390x), most of each processor.
VENDOR = ("vendor_id", "CPU implementer", "mvendorid")
FAMILY = ("cpu family", "CPU architecture", "CPU Family", "marchid")
MODEL = ("model", "CPU part", "uarch", "machine", "Model Name", "cpu model", "cpu")
STEPPING = ("stepping", "CPU revision", "mimpid", "revision", "CPU Revision")
BRAND = ("model name", "Model Name", "cpu")

# Beginnings of the flags that say which instructions there are. The rest of the kernel's flags come and go with the
# kernel and the firmware (mitigations, timers, "sme" for memory encryption), and would change a machine's identity.
_ISA_X86 = "abm|adx|aes|amx|avx|bmi|f16c|fma|gfni|mmx|movbe|pclmul|pni|popcnt|sha_ni|sha512|s?sse|vaes|vpclmul|xop"
_ISA_ARM = "aes|asimd|atomics|bf16|crc32|ebf16|fcma|fp|i8mm|lse|pmull|sha|sm3|sm4|sme|sve|neon|vfp|idiv|half|thumb|edsp"
_ISA_OTHER = ".*"  # s390x and LoongArch list instructions and nothing else

# Written once for all processors (s390x). Everything else that stands apart from them is of the board (ARM, POWER).
_OF_ALL = ("vendor_id", "features")


@dataclass(frozen=True, kw_only=True)
class CpuInfo:
    """Everything the file tells: of each processor, and of the machine."""

    processors: Mapping[int, Mapping[str, str]]
    machine: Mapping[str, str]

    def of(self, cpu: int, names: Sequence[str]) -> str | None:
        """The first of these fields that a processor has; what s390x tells of all of them at once included."""
        fields = dict(self.processors.get(cpu, {})) | {
            name: self.machine[name] for name in _OF_ALL if name in self.machine
        }
        found = next((fields[name] for name in names if fields.get(name)), None)
        return " ".join(found.split()) if found else None


def read(root: Path = Path("/")) -> CpuInfo:
    """The file, parsed.

    Raises:
        OSError: it is not there, or hidden.
        UnavailableError: it names no processor.
    """
    processors: dict[int, dict[str, str]] = {}
    machine: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", text_of(root / "proc/cpuinfo")):
        lines = [line.partition(":") for line in block.splitlines() if ":" in line]
        current: dict[str, str] | None = None
        for key, _, value in lines:
            name, content = key.strip(), value.strip()
            if found := re.fullmatch(r"processor (\d+)", name):  # s390x: all processors in one block
                pairs = (part.partition("=") for part in content.split(","))
                processors[int(found[1])] = {each.strip(): text.strip() for each, _, text in pairs}
            elif name in {"processor", "cpu number"} and content.isdecimal():
                current = processors.setdefault(int(content), {})
            else:
                (machine if current is None else current).setdefault(name, content)
    if not processors:
        raise UnavailableError("/proc/cpuinfo names no processor")
    return CpuInfo(processors=processors, machine=machine)


def first(info: CpuInfo, names: Sequence[str]) -> str:
    """One fact of the first processor.

    Raises:
        AbsentError: it does not tell, on this architecture or of this processor.
    """
    found = info.of(min(info.processors), names)
    if found is None:
        raise AbsentError(f"/proc/cpuinfo does not tell {names[0]!r}")
    return found


def isa(info: CpuInfo) -> list[str]:
    """Instructions of the first processor; on RISC-V the single extensions of its `isa`.

    Raises:
        AbsentError: it does not tell.
    """
    cpu = min(info.processors)
    for field, pattern in (("flags", _ISA_X86), ("Features", _ISA_ARM), ("features", _ISA_OTHER)):
        if (text := info.of(cpu, (field,))) is not None:
            known = re.compile(_ISA_OTHER if "cpucfg" in text.split() else pattern)
            return sorted({flag for flag in text.split() if known.match(flag)})
    if (text := info.of(cpu, ("isa",))) is not None:
        base, *extensions = text.lower().split("_")
        return sorted({base[:4], *base[4:], *extensions})
    if "altivec" in (text := info.of(cpu, ("cpu",)) or ""):
        return ["altivec"]
    raise AbsentError("/proc/cpuinfo does not tell the instructions")


def kinds(info: CpuInfo) -> dict[str, int]:
    """How many processors of each kind, by what tells one kind from another; one entry where all are alike."""
    return dict(Counter(_kind(info, cpu) for cpu in sorted(info.processors)))


def core_names(root: Path = Path("/")) -> dict[int, str]:
    """What each CPU's core is called where the machine has several kinds; empty where it has one, or does not tell."""
    with suppress(*READ_FAILURES):
        if len(kinds(info := read(root))) > 1:
            return {cpu: _kind(info, cpu) for cpu in info.processors}
    return {}


def siblings(root: Path = Path("/")) -> dict[int, tuple[int, ...]]:
    """The threads of each CPU's core, where /proc/cpuinfo tells cores (x86); empty elsewhere."""
    try:
        info = read(root)
    except READ_FAILURES:
        return {}
    places = {cpu: core for cpu in info.processors if (core := _core(info, cpu)) is not None}
    return {cpu: tuple(other for other, theirs in places.items() if theirs == core) for cpu, core in places.items()}


def cores_and_sockets(info: CpuInfo) -> tuple[int, int] | None:
    """Physical cores and sockets; None where the file does not tell them."""
    places = [_core(info, cpu) for cpu in info.processors]
    if None in places:
        return None
    return len(set(places)), len({each[0] for each in places if each is not None})


def _core(info: CpuInfo, cpu: int) -> tuple[str, str] | None:
    fields = info.processors[cpu]
    socket, core = fields.get("physical id"), fields.get("core id")
    return None if socket is None or core is None or "siblings" not in fields else (socket, core)


def _kind(info: CpuInfo, cpu: int) -> str:
    """Vendor and model; RISC-V's cores of one vendor may differ in their instructions alone."""
    parts = [info.of(cpu, names) for names in (VENDOR, MODEL, ("isa",))]
    return " ".join(dict.fromkeys(part for part in parts if part)) or "unknown"
