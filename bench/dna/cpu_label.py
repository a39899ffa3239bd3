"""The CPU's name for people, where the operating system does not give one.

py-cpuinfo knows it on more machines than we do, but it sleeps for a second, can hang (under Rosetta), and its flags and
cache sizes differ from the kernel's. So it is asked in a process of its own, once a machine, and only for the name; the
name is not part of the identity, which must not depend on whether a program answered in time.
"""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from bench.dna import cache
from bench.dna.facts import UnavailableError, answer_of

_TIMEOUT_S = 10


def read(identity: Mapping[str, Any]) -> str:
    """The name of the CPU with these stable facts.

    Raises:
        UnavailableError: nobody knows it.
    """
    if "cpu_brand" in identity:
        return str(identity["cpu_brand"])
    file = cache.file_for("cpu-label", {"reader": version("py-cpuinfo"), **identity})
    kept = cache.load(file)
    if isinstance(kept, str):
        return kept
    # -P: a file of the user's own called cpuinfo.py is never picked up.
    argv = [sys.executable, "-P", "-m", "cpuinfo", "--json"]
    try:
        label = str(json.loads(answer_of(argv, called="py-cpuinfo", timeout_s=_TIMEOUT_S))["brand_raw"])
    except (ValueError, KeyError):
        raise UnavailableError("neither the system nor py-cpuinfo tells the CPU's name") from None
    cache.save(file, label)
    return label
