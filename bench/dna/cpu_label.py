"""The CPU's name for people, where the operating system does not give one.

py-cpuinfo knows it on more machines than we do, but it sleeps for a second, can hang (under Rosetta), and its flags and
cache sizes differ from the kernel's. So it is asked in a process of its own, once a machine, and only for the name; the
name is not part of the identity, which must not depend on whether a program answered in time.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs

from bench.dna.facts import UnavailableError, answer_of

_TIMEOUT_S = 10


def read(identity: Mapping[str, Any]) -> str:
    """The name of the CPU with these stable facts.

    Raises:
        UnavailableError: nobody knows it.
    """
    if "cpu_brand" in identity:
        return str(identity["cpu_brand"])
    file = _cache_file(identity)
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(file.read_text(encoding="utf-8")))
    # -P: a file of the user's own called cpuinfo.py is never picked up.
    argv = [sys.executable, "-P", "-m", "cpuinfo", "--json"]
    try:
        label = str(json.loads(answer_of(argv, called="py-cpuinfo", timeout_s=_TIMEOUT_S))["brand_raw"])
    except (ValueError, KeyError):
        raise UnavailableError("neither the system nor py-cpuinfo tells the CPU's name") from None
    with contextlib.suppress(OSError):  # a home that cannot be written costs a second the next time, no more
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(label), encoding="utf-8")
        draft.replace(file)
    return label


def _cache_file(identity: Mapping[str, Any]) -> Path:
    """A file for this machine: its facts are in the name, so that a home shared by several keeps them apart."""
    facts = json.dumps([version("py-cpuinfo"), identity], sort_keys=True)
    key = hashlib.blake2b(facts.encode()).hexdigest()[:16]
    return Path(os.environ.get("BENCH_CACHE_DIR") or platformdirs.user_cache_dir("bench")) / f"cpu-label-{key}.json"
