"""NVIDIA GPUs around launches: who else is on them, whether they run as they should and give back their memory.

What other people's processes are is nobody's business: they are counted, never named.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.dna import nvml as binding
from bench.dna.facts import UnavailableError
from bench.dna.gpu import held_down
from bench.dna.machine import Machine
from bench.dna.nvidia import visible_devices
from bench.health.capacity import Demand
from bench.health.check import Check, gathered, ok, refusal, warning

PROCESSES = "gpu_processes"  # the check of who else computes on a card
_MUCH_MEMORY = 0.10  # of the card: a driver keeps 1 % to itself, a desktop a few
RETURN_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.25
_SLACK_BYTES = 100 * 2**20  # what the driver itself takes and gives back; one CUDA context is several times that

_UNCORRECTED, _SINCE_BOOT = 1, 0  # NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC

_Look = Callable[[Any, int, Any], Check | None]  # (NVML, the driver's number of the card, its handle)


@dataclass(frozen=True, kw_only=True)
class GpuMemory:
    """How much memory of each card was in use at one moment."""

    used_bytes: Mapping[int, int]  # by the driver's number of the card; empty off CUDA

    @staticmethod
    def before(cards: Sequence[int], nvml: Any = None) -> "GpuMemory":
        """Now; where the driver does not tell, nothing is known and nothing is asked afterwards.

        Args:
            cards: the driver's numbers, see `planned`.
            nvml: stands in for the module `pynvml` in tests.
        """
        if not cards:
            return GpuMemory(used_bytes={})
        try:
            with binding.driver(nvml) as asked:
                return GpuMemory(used_bytes={card: _used_bytes(asked, card) for card in cards})
        except UnavailableError:
            return GpuMemory(used_bytes={})


def planned(demand: Demand, machine: Machine, nvml: Any = None) -> tuple[int, ...]:
    """The driver's numbers of the cards that the study will use; none off CUDA, or where the driver does not answer.

    Ranks take the visible devices in order. A slice of a card (MIG) is not among them: its driver tells of the whole.
    """
    if not demand.cuda_devices:
        return ()
    try:
        with binding.driver(nvml) as asked:
            numbers = {
                _uuid(asked, card): str(card.index) if card.trouble is None else "" for card in binding.cards(asked)
            }
    except UnavailableError:
        return ()
    seen = [each for each in visible_devices(machine.cuda_visible_devices, numbers) if each.isdecimal()]
    return tuple(map(int, seen[: demand.cuda_devices]))


def present(machine: Machine) -> list[Check]:
    """Cards that are there and do not work, and what else has to be said of those that do."""
    broken = (
        "nvidia-smi tells more; a card that has fallen off the bus comes back with a reboot, a driver that does not\n"
    )
    broken += "    fit its library with a reload"
    return [
        *(warning("gpu_broken", text, broken) for text in machine.cards.trouble),
        *(warning("gpu_cards", text, "numbers are of these GPUs as they are") for text in machine.cards.notes),
    ]


def _uuid(asked: binding.Driver, card: binding.NvmlCard) -> str:
    try:
        return str(asked.nvmlDeviceGetUUID(card.handle))
    except UnavailableError:
        return f"#{card.index}"


def checks(cards: Sequence[int], nvml: Any = None) -> list[Check]:
    """Foreign processes, memory in use, memory errors, throttling and power limit of each card.

    Args:
        cards: the driver's numbers, see `planned`.
        nvml: stands in for the module `pynvml` in tests.
    """
    if not cards:
        return []
    looks: tuple[_Look, ...] = (_processes, _memory, _errors, _throttling, _power_limit)
    try:
        with binding.driver(nvml) as asked:
            handles = {card.index: card.handle for card in binding.cards(asked) if card.index in cards}
            return gathered(partial(look, asked, card, handle) for look in looks for card, handle in handles.items())
    except UnavailableError as error:
        fix = "nvidia-smi tells more; a card that has fallen off the bus comes back with a reboot"
        return [warning("gpu_driver", str(error), fix)]


def others_on(nvml: Any, handle: Any) -> set[int]:
    """Ids of the processes that compute on a card. What draws a desktop is not among them, nor are we."""
    computing = {each.pid for each in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
    try:
        drawing = {each.pid for each in nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)}
    except nvml.NVMLError:  # cards without a display output need not know
        drawing = set()
    return computing - drawing - {os.getpid()}


def _processes(nvml: Any, card: int, handle: Any) -> Check:
    others = len(others_on(nvml, handle))
    if not others:
        return ok(PROCESSES, f"GPU {card}: nobody else computes on it")
    return refusal(
        PROCESSES,
        f"GPU {card} is in use: {others} other process{'es' * (others != 1)} compute{'s' * (others == 1)} on it",
        "wait for it (nvidia-smi shows it), choose free ones (CUDA_VISIBLE_DEVICES=1,2), or --when-busy share",
    )


def _memory(nvml: Any, card: int, handle: Any) -> Check:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    text = f"GPU {card}: {memory.used / 2**30:.1f} of {memory.total / 2**30:.0f} GiB of its memory are in use"
    if memory.used <= _MUCH_MEMORY * memory.total:
        return ok("gpu_memory", text)
    fix = "end what holds it; nvidia-smi shows what, unless that is in another container"
    return warning("gpu_memory", text, fix)


def _errors(nvml: Any, card: int, handle: Any) -> Check | None:
    """Memory that failed: rows to be replaced at the next reset, rows that cannot be, errors since the last boot."""
    found = []
    known = 0
    try:
        _, _, pending, failed = nvml.nvmlDeviceGetRemappedRows(handle)
        known += 1
        found += ["rows of its memory wait to be replaced"] * bool(pending)
        found += ["rows of its memory could not be replaced"] * bool(failed)
    except nvml.NVMLError:  # before Ampere
        pass
    try:
        errors = nvml.nvmlDeviceGetTotalEccErrors(handle, _UNCORRECTED, _SINCE_BOOT)
        known += 1
        found += [f"{errors} memory errors that could not be corrected"] * bool(errors)
    except nvml.NVMLError:  # consumer cards have no ECC
        pass
    if not found:
        return ok("gpu_errors", f"GPU {card}: no memory errors") if known else None
    return warning(
        "gpu_errors",
        f"GPU {card}: {', '.join(found)}",
        "reset it or reboot (nvidia-smi -q -d ROW_REMAPPER,ECC); if it comes back, the card is failing",
    )


def _throttling(nvml: Any, card: int, handle: Any) -> Check:
    # ClocksEventReasons is the newer name of the same call; older drivers know only this one.
    bits = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    reasons = held_down(bits)
    if not reasons:
        return ok("gpu_throttling", f"GPU {card}: its clocks are not held down")
    return warning(
        "gpu_throttling",
        f"GPU {card}: clocks held down by {', '.join(reasons)}",
        "let it cool, look at its fans and its power supply: nvidia-smi -q -d PERFORMANCE",
    )


def _power_limit(nvml: Any, card: int, handle: Any) -> Check:
    limit, default = (
        nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000,
        nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle) / 1000,
    )
    if limit >= default:
        return ok("gpu_power_limit", f"GPU {card}: power limit {limit:.0f} W")
    return warning(
        "gpu_power_limit",
        f"GPU {card}: power limit {limit:.0f} W, {default:.0f} W by default",
        f"sudo nvidia-smi -i {card} -pl {default:.0f}, unless the lower limit is meant",
    )


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
        with binding.driver(nvml) as asked:
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
