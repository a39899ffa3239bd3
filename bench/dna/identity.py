"""What hardware this is: facts that stay through a reboot, another load, another user and another locale."""

import platform
import sys
from collections.abc import Mapping
from typing import Any

from bench.dna import cpu_label, linux, macos
from bench.dna.facts import Facts, gather, is_absent, merge
from bench.dna.gpu import Gpus

# Told, compared and not part of the id: a name that comes from a program that can time out, and what only /sys tells,
# which a container may hide. The id must be the same inside and outside.
_NOT_HASHED = frozenset({"cpu_label", "cache_kib", "numa_nodes"})
# Of the cores, x86 tells in /proc/cpuinfo, the others in /sys alone.
_TOPOLOGY = frozenset({"cpu_cores", "cpu_sockets"})
_X86 = frozenset({"x86_64", "i686", "i386"})


def read(gpus: Gpus) -> Facts:
    """The stable facts of this machine.

    Args:
        gpus: what the graphics driver gave (`bench.dna.gpu.read`).
    """
    cpu = macos.identity() if sys.platform == "darwin" else linux.identity()
    architecture = gather({"cpu_architecture": platform.machine})
    label = gather({"cpu_label": lambda: cpu_label.read(cpu.values)})
    return merge(architecture, label, cpu, gpus.identity)


def hashed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the id is made of: those that any process on the machine may read."""
    left_out = _NOT_HASHED if facts.get("cpu_architecture") in _X86 else _NOT_HASHED | _TOPOLOGY
    return {name: value for name, value in facts.items() if name not in left_out}


def missing(facts: Facts) -> tuple[str, ...]:
    """Facts that belong to the id and could not be read: it is made without them, and says so."""
    unread = {name.split(".")[0]: name for name, reason in facts.unavailable.items() if not is_absent(reason)}
    known = hashed({**facts.values, **dict.fromkeys(unread)})
    return tuple(unread[name] for name in sorted(unread) if name in known)
