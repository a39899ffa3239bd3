"""Which host a rank is on, when its launch has several: unlike hosts, and one host under two names, must be seen."""

import hashlib
import json
from pathlib import Path

from bench.dna import gpu, identity
from bench.worker.bootstrap import Rank

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def tags(rank: Rank, nodes: int) -> tuple[str | None, str | None]:
    """A tag of the hardware (of each host's first rank) and one of the running machine; both None on one node.

    They tell nothing but whether two are equal.
    """
    if nodes == 1:
        return None, None
    hardware = identity.read(gpu.read()).values if rank.local_rank == 0 else None
    try:
        boot = _BOOT_ID.read_text()
    except OSError:  # not Linux
        boot = None
    return _tag(json.dumps(hardware, sort_keys=True, default=str) if hardware else None), _tag(boot)


def _tag(text: str | None) -> str | None:
    return None if text is None else hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
