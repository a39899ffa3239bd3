"""The CPU's name for people, where the operating system does not give one.

py-cpuinfo knows it on more machines than we do, but it sleeps for a second, can hang (under Rosetta), and its flags and
cache sizes differ from the kernel's. So it is asked in a process of its own, once a machine, and only for the name; the
name is not part of the identity, which must not depend on whether a program answered in time.
"""

import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from bench.dna import cache
from bench.dna.facts import READ_FAILURES, UnavailableError, answer_of

_TIMEOUT_S = 10
_ASK_AGAIN_S = 24 * 3600
_NOBODY = "neither the system nor py-cpuinfo tells the CPU's name"


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
    if isinstance(kept, dict) and time.time() - kept.get("at", 0) < _ASK_AGAIN_S:
        raise UnavailableError(f"{kept.get('unavailable')} (asked once a day)")
    # -P: a file of the user's own called cpuinfo.py is never picked up.
    argv = [sys.executable, "-P", "-m", "cpuinfo", "--json"]
    try:
        label = str(json.loads(answer_of(argv, called="py-cpuinfo", timeout_s=_TIMEOUT_S))["brand_raw"])
    except READ_FAILURES as error:
        reason = str(error) if isinstance(error, UnavailableError) else _NOBODY
        # A name for people is not worth that time again, in every command.
        cache.save(file, {"unavailable": reason, "at": time.time()})
        raise UnavailableError(reason) from None
    cache.save(file, label)
    return label
