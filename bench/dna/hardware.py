"""What hardware this is: facts that stay through a reboot, another load, another user and another locale."""

import json
import platform
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from bench.dna import cache, linux, macos
from bench.dna.facts import READ_FAILURES, Facts, UnavailableError, answer_of, gather, is_absent, merge
from bench.dna.gpu import Gpus

# Told, compared and not part of the id: a name that comes from a program that can time out, and what only /sys tells,
# which a container may hide. The id must be the same inside and outside.
_NOT_HASHED = frozenset({"cpu_label", "cache_kib", "numa_nodes"})
# Of the cores, x86 tells in /proc/cpuinfo, the others in /sys alone.
_TOPOLOGY = frozenset({"cpu_cores", "cpu_sockets"})
_LABEL_TIMEOUT_S = 10
_ASK_AGAIN_S = 24 * 3600
_NOBODY = "neither the system nor py-cpuinfo tells the CPU's name"
_X86 = frozenset({"x86_64", "i686", "i386"})


def read(gpus: Gpus) -> Facts:
    """The stable facts of this machine.

    Args:
        gpus: what the graphics driver gave (`bench.dna.gpu.read`).
    """
    cpu = macos.identity() if sys.platform == "darwin" else linux.identity()
    architecture = gather({"cpu_architecture": platform.machine})
    label = gather({"cpu_label": lambda: cpu_label(cpu.values)})
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


def cpu_label(facts: Mapping[str, Any]) -> str:
    """The CPU's name for people, also where the operating system does not give one.

    py-cpuinfo knows it on more machines than we do, but it sleeps for a second, can hang (under Rosetta), and its flags
    and cache sizes differ from the kernel's. So it is asked in a process of its own, once a machine, and only for the
    name; the name is not part of the identity, which must not depend on whether a program answered in time.

    Raises:
        UnavailableError: nobody knows it.
    """
    if "cpu_brand" in facts:
        return str(facts["cpu_brand"])
    file = cache.file_for("cpu-label", {"reader": version("py-cpuinfo"), **facts})
    kept = cache.load(file)
    if isinstance(kept, str):
        return kept
    if isinstance(kept, dict) and time.time() - kept.get("at", 0) < _ASK_AGAIN_S:
        raise UnavailableError(f"{kept.get('unavailable')} (asked once a day)")
    # -P: a file of the user's own called cpuinfo.py is never picked up.
    argv = [sys.executable, "-P", "-m", "cpuinfo", "--json"]
    try:
        label = str(json.loads(answer_of(argv, called="py-cpuinfo", timeout_s=_LABEL_TIMEOUT_S))["brand_raw"])
    except READ_FAILURES as error:
        reason = str(error) if isinstance(error, UnavailableError) else _NOBODY
        # A name for people is not worth that time again, in every command.
        cache.save(file, {"unavailable": reason, "at": time.time()})
        raise UnavailableError(reason) from None
    cache.save(file, label)
    return label
