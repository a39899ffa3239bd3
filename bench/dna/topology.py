"""Which of the CPUs are cores: their hyperthreads, their kinds, and the order in which ranks should take them.

The kernel numbers threads. Two of them may share one core, and on ARM boards and newer x86 some cores are bigger than
others. Read from /sys (the kernel's Documentation/admin-guide/cputopology.rst and ABI/stable/sysfs-devices-system-cpu)
and /proc/cpuinfo; where neither tells, every thread counts as a core of one kind, and `known` says so.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.dna import cpuinfo
from bench.dna.facts import READ_FAILURES, text_of

# Of the strongest core of its kind: single cores of one kind are allowed a higher turbo ("favored cores", some per
# cent); a smaller kind of core has three quarters of the clock at most.
_SAME_KIND = 0.8


@dataclass(frozen=True, kw_only=True)
class Core:
    """One physical core, with the threads of it that this process may use."""

    threads: tuple[int, ...]
    kind: int  # 0: the strongest here


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The usable CPUs as cores, the strongest kind first."""

    cores: tuple[Core, ...]
    known: bool = True  # whether the siblings could be read
    kinds: tuple[str, ...] = field(default=())  # names of the kinds, as far as /proc/cpuinfo has any

    @property
    def order(self) -> tuple[int, ...]:
        """CPU ids as ranks should take them: one thread of every core, strong kinds first, then second threads."""
        deepest = max((len(core.threads) for core in self.cores), default=0)
        return tuple(
            core.threads[depth] for depth in range(deepest) for core in self.cores if depth < len(core.threads)
        )

    @property
    def places(self) -> int:
        """How many ranks find a whole core of the strongest kind each; threads, where there is but one such core."""
        alike = sum(core.kind == 0 for core in self.cores)
        return alike if alike > 1 else len(self.order)

    def words(self, cpus: Sequence[int]) -> str:
        """What these CPUs are, where they are not simply so many cores of one kind: "2 threads of 1 core"; else ""."""
        used = [core for core in self.cores if set(core.threads) & set(cpus)]
        threads = sum(len(set(core.threads) & set(cpus)) for core in used)
        words = []
        if threads > len(used):
            words.append(f"{threads} threads of {len(used)} core{'s' * (len(used) != 1)}")
        of_kind = Counter(core.kind for core in used)
        if len(of_kind) > 1:
            words.append(", ".join(f"{count} x {self._name(kind)}" for kind, count in sorted(of_kind.items())))
        return "; ".join(words)

    def _name(self, kind: int) -> str:
        return self.kinds[kind] if kind < len(self.kinds) and self.kinds[kind] else f"core of kind {kind + 1}"


def read(cpus: Sequence[int], root: Path = Path("/")) -> Topology:
    """The cores that these CPUs belong to."""
    siblings = {cpu: _siblings(root, cpu) for cpu in cpus}
    known = all(each is not None for each in siblings.values())
    groups: dict[tuple[int, ...], list[int]] = {}
    for cpu in cpus:
        groups.setdefault(siblings[cpu] or (cpu,), []).append(cpu)
    names, strengths = _names(root), {cpu: _strength(root, cpu) for cpu in cpus}
    kinds = _kinds([tuple(each) for each in groups.values()], names, strengths)
    ordered = sorted(kinds.items(), key=lambda item: (item[1], item[0]))
    kind_names = {kind: names.get(threads[0], "") for threads, kind in reversed(ordered)}
    return Topology(
        cores=tuple(Core(threads=threads, kind=kind) for threads, kind in ordered),
        known=known,
        kinds=tuple(kind_names[kind] for kind in sorted(kind_names)),
    )


def cpu_set(text: str) -> tuple[int, ...]:
    """The kernel's lists: "0-3,8" is 0, 1, 2, 3 and 8."""
    found: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _siblings(root: Path, cpu: int) -> tuple[int, ...] | None:
    folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
    for name in ("thread_siblings_list", "core_cpus_list"):
        with suppress(*READ_FAILURES):
            if (found := cpu_set(text_of(folder / name))) and cpu in found:
                return found
    return cpuinfo.siblings(root).get(cpu)


def _names(root: Path) -> dict[int, str]:
    """What each CPU's core is called, where kinds of cores have names: ARM's parts, RISC-V's, Intel's hybrid PMUs."""
    names = cpuinfo.core_names(root)
    for name, kind in (("cpu_core", "P core"), ("cpu_atom", "E core"), ("cpu_lowpower", "LP E core")):
        with suppress(*READ_FAILURES):
            names |= dict.fromkeys(cpu_set(text_of(root / f"sys/devices/{name}/cpus")), kind)
    return names


def _strength(root: Path, cpu: int) -> float:
    """How much a core can do, on a scale of its machine: the scheduler's capacity, else the highest clock, else 1."""
    folder = root / f"sys/devices/system/cpu/cpu{cpu}"
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        with suppress(*READ_FAILURES):
            if (found := float(text_of(folder / name))) > 0:
                return found
    return 1.0


def _kinds(
    groups: Sequence[tuple[int, ...]], names: dict[int, str], strengths: dict[int, float]
) -> dict[tuple[int, ...], int]:
    """The kind of each core: those of one name and about one strength, numbered from the strongest."""
    found: dict[tuple[int, ...], int] = {}
    tops: list[tuple[str, float]] = []
    for threads in sorted(groups, key=lambda each: (-strengths[each[0]], each)):
        name, strength = names.get(threads[0], ""), strengths[threads[0]]
        fitting = [
            number for number, (called, top) in enumerate(tops) if called == name and strength >= _SAME_KIND * top
        ]
        if not fitting:
            tops.append((name, strength))
        found[threads] = fitting[0] if fitting else len(tops) - 1
    return found
