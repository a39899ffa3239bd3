"""The measured layer: what this machine can do at most, asked of processes of their own. Nothing here is torch.

Each ceiling is `{n, median, spread}`, in the unit of its name; spread is the range of the middle half over the median.

    device                  where the products and the memory were measured
    gemm_flop_per_s         precision -> product of two square matrices of random numbers
    memory_bytes_per_s      STREAM's triad, all three arrays counted
    copy_bytes_per_s        host to device and back, from pinned memory
    launch_s                an operation that computes next to nothing
    training_step_s         forward, backward and SGD of a model that computes next to nothing
    disk_write_bytes_per_s  64 MiB one after the other, until the disk has them
    fsync_s                 until the disk has acknowledged 4 KiB
    allreduce_s             bytes -> float32 sum over two ranks of this host, by Gloo
    allreduce_bytes_per_s   the same as bus bandwidth, 2 (n - 1) / n x bytes / s
    measured_at             the day
    flags                   what may have disturbed a value
    unavailable             field -> why it was not measured
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.dna import cache
from bench.dna.child import document_of
from bench.dna.facts import UnavailableError
from bench.dna.fingerprint import Fingerprint
from bench.dna.machine import Machine
from bench.dna.numbers import Circumstances
from launchers import Command, local, module_argv

METHOD = 1  # bump with any change to what is measured; earlier ceilings are then forgotten
_TIMEOUT_S = 300
_RANKS = 2


def measure(machine: Machine, folder: Path) -> dict[str, Any]:
    """Measure everything, in about half a minute; progress goes to stderr, a line for each thing.

    Args:
        machine: what of this host may be used.
        folder: on the disk to measure; need not be there yet.

    Raises:
        UnavailableError: torch is not installed, or does not run.
    """
    arguments = ("--threads", str(len(machine.cpu_ids)), "--folder", str(folder))
    document: dict[str, Any] = document_of("bench.dna.measured", arguments, timeout_s=_TIMEOUT_S, stderr=None)
    names = ("allreduce_s", "allreduce_bytes_per_s")
    print("Measuring the all-reduce of two ranks …", file=sys.stderr, flush=True)
    try:
        taken = _all_reduce(machine)
    except UnavailableError as error:
        return document | {"unavailable": document["unavailable"] | dict.fromkeys(names, str(error))}
    share = 2 * (_RANKS - 1) / _RANKS
    by_time = {size: summary(each) for size, each in taken.items()}
    by_rate = {size: summary([share * int(size) / second for second in each]) for size, each in taken.items()}
    return document | dict(zip(names, (by_time, by_rate), strict=True))


def keep(found: Fingerprint, threads: int) -> None:
    """Remember the ceilings of this fingerprint, for the studies that this machine runs with this software."""
    cache.save(_kept_in(found, threads), found.measured)


def joined(found: Fingerprint, threads: int) -> Fingerprint:
    """The fingerprint with the ceilings that were measured last on this hardware, by this software; measures nothing.

    What a study reached can be compared with them then: in half a minute before each nobody would measure them.
    """
    kept = cache.load(_kept_in(found, threads))
    if not isinstance(kept, dict):
        return found
    return of_measured(found, kept)


def of_measured(found: Fingerprint, measured: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint with these ceilings, and no reason for their absence."""
    gaps = {field: reason for field, reason in found.unavailable.items() if field != "measured"}
    return replace(found, measured=measured, unavailable=gaps)


def today() -> str:
    """As `measured_at` has it."""
    return datetime.now(UTC).date().isoformat()


def _kept_in(found: Fingerprint, threads: int) -> Path:
    return Circumstances(found.hw_id, found.sw_id, threads).file("ceilings", METHOD)


def _all_reduce(machine: Machine) -> Mapping[str, list[float]]:
    """Seconds of each all-reduce by size in bytes, as rank 0 saw them."""
    if len(machine.cpu_ids) < _RANKS:
        raise UnavailableError(f"{_RANKS} ranks need as many cores, and one is here")
    with tempfile.TemporaryDirectory(prefix="bench-allreduce-") as scratch:
        command = Command(
            argv=module_argv("bench.dna.collective"),
            ranks=_RANKS,
            folder=Path(scratch),
            environment=dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            cores=tuple((core,) for core in machine.cpu_ids[:_RANKS]) if machine.pinnable else None,
            cores_per_rank=1,
            timeout_s=120,
            stall_s=120,
        )
        ending = local.launch(command, lambda _: None)
        if ending.status != "ok":
            raise UnavailableError(f"the ranks ended as {ending.status}")
        taken: Mapping[str, list[float]] = json.loads((Path(scratch) / "rank0.json").read_text())["taken"]
        return taken


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Count, median and spread of what was measured, in the unit of `values`.

    Returns:
        `n`, `median`, and `spread`: the range of the middle half over the median.
    """
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"n": len(values), "median": _rounded(median), "spread": _rounded((high - low) / median)}


def times_s(
    work: Callable[[], object], n: int, *, warm_up: int = 2, wait: Callable[[], object] = lambda: None
) -> list[float]:
    """Seconds that each of `n` calls took, after `warm_up` more.

    Args:
        work: what is timed.
        n: calls that count.
        warm_up: calls before them that do not.
        wait: returns once what `work` began has ended.
    """
    taken = []
    for _ in range(warm_up + n):
        began = time.perf_counter()
        work()
        wait()
        taken.append(time.perf_counter() - began)
    return taken[warm_up:]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
