"""After a launch: did its GPUs give back the memory that they had free before it?"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.dna.facts import UnavailableError
from bench.dna.nvml import driver
from bench.health.check import Check, refusal, warning
from bench.health.gpu import others_on

RETURN_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.25
_SLACK_BYTES = 100 * 2**20  # what the driver itself takes and gives back; one CUDA context is several times that


@dataclass(frozen=True, kw_only=True)
class GpuMemory:
    """How much memory of each card was in use at one moment."""

    used_bytes: Mapping[int, int]  # by the driver's number of the card; empty off CUDA

    @staticmethod
    def before(cards: Sequence[int], nvml: Any = None) -> "GpuMemory":
        """Now; where the driver does not tell, nothing is known and nothing is asked afterwards.

        Args:
            cards: the driver's numbers, see `bench.health.gpu.planned`.
            nvml: stands in for the module `pynvml` in tests.
        """
        if not cards:
            return GpuMemory(used_bytes={})
        try:
            with driver(nvml) as asked:
                return GpuMemory(used_bytes={card: _used_bytes(asked, card) for card in cards})
        except UnavailableError:
            return GpuMemory(used_bytes={})


def postflight(
    before: GpuMemory,
    *,
    nvml: Any = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Check]:
    """Wait up to 10 s for the memory to come back; empty when it has, which off CUDA costs nothing.

    A card whose memory is held by a process that can be seen is not one for the next launch: a refusal. Where nobody
    can be seen to hold it, it is only less memory: a warning.
    """
    if not before.used_bytes:
        return []
    ends = clock() + RETURN_WITHIN_S
    try:
        with driver(nvml) as asked:
            while held := _held(asked, before):
                if clock() >= ends:
                    return [_counted(asked, card, extra) for card, extra in held.items()]
                sleep(_LOOK_EVERY_S)
    except UnavailableError:
        pass
    return []


def _held(nvml: Any, before: GpuMemory) -> dict[int, int]:
    """Bytes that each card is still short of, where that is more than the driver's own ups and downs."""
    extra = {card: _used_bytes(nvml, card) - used for card, used in before.used_bytes.items()}
    return {card: many for card, many in extra.items() if many > _SLACK_BYTES}


def _used_bytes(nvml: Any, card: int) -> int:
    return int(nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByIndex(card)).used)


def _counted(nvml: Any, card: int, extra: int) -> Check:
    short = f"GPU {card} holds {extra / 2**30:.1f} GiB more than before the launch, {RETURN_WITHIN_S:.0f} s after it"
    try:
        holders = sorted(others_on(nvml, nvml.nvmlDeviceGetHandleByIndex(card)))
    except nvml.NVMLError:
        holders = []
    if not holders:
        fix = "nvidia-smi may show more on the host than in a container; a reset or a reboot frees it"
        return warning("gpu_memory_returned", f"{short}; nobody is seen to hold it", fix)
    pids = ", ".join(map(str, holders))
    return refusal(
        "gpu_memory_returned",
        f"{short}, in process{'es' * (len(holders) != 1)} {pids}",
        f"if they are yours, end them (kill {pids.replace(',', '')}); then go on with --resume",
    )
