"""NVIDIA GPUs as their driver tells them: stable facts, the conditions of the moment, and the driver itself.

Never asked for: serial numbers, UUIDs, bus addresses, and who else is using the card.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import pynvml

from bench.dna.facts import Facts, UnavailableError, gather

_Reader = Callable[[Any, Any], Any]  # (NVML, handle of the card) -> fact

_IDENTITY: Mapping[str, _Reader] = {
    "name": lambda nvml, card: nvml.nvmlDeviceGetName(card),
    "compute_capability": lambda nvml, card: ".".join(map(str, nvml.nvmlDeviceGetCudaComputeCapability(card))),
    "cores": lambda nvml, card: nvml.nvmlDeviceGetNumGpuCores(card),
    # Rounded: what the driver keeps for itself differs from one driver to the next.
    "memory_gib": lambda nvml, card: round(nvml.nvmlDeviceGetMemoryInfo(card).total / 2**30),
    "memory_bus_bits": lambda nvml, card: nvml.nvmlDeviceGetMemoryBusWidth(card),
    "max_sm_clock_mhz": lambda nvml, card: nvml.nvmlDeviceGetMaxClockInfo(card, nvml.NVML_CLOCK_SM),
    "max_memory_clock_mhz": lambda nvml, card: nvml.nvmlDeviceGetMaxClockInfo(card, nvml.NVML_CLOCK_MEM),
    "pcie_generation": lambda nvml, card: nvml.nvmlDeviceGetMaxPcieLinkGeneration(card),
    "pcie_lanes": lambda nvml, card: nvml.nvmlDeviceGetMaxPcieLinkWidth(card),
    "ecc": lambda nvml, card: bool(nvml.nvmlDeviceGetEccMode(card)[0]),
    "mig": lambda nvml, card: bool(nvml.nvmlDeviceGetMigMode(card)[0]),
}

_CONDITIONS: Mapping[str, _Reader] = {
    "sm_clock_mhz": lambda nvml, card: nvml.nvmlDeviceGetClockInfo(card, nvml.NVML_CLOCK_SM),
    "memory_clock_mhz": lambda nvml, card: nvml.nvmlDeviceGetClockInfo(card, nvml.NVML_CLOCK_MEM),
    "power_w": lambda nvml, card: nvml.nvmlDeviceGetPowerUsage(card) / 1000,
    "power_limit_w": lambda nvml, card: nvml.nvmlDeviceGetEnforcedPowerLimit(card) / 1000,
    "temperature_c": lambda nvml, card: nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU),
    "throttle_reasons": lambda nvml, card: hex(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(card)),
    "utilization": lambda nvml, card: nvml.nvmlDeviceGetUtilizationRates(card).gpu / 100,
    "memory_used_gib": lambda nvml, card: round(nvml.nvmlDeviceGetMemoryInfo(card).used / 2**30, 2),
}


@dataclass(frozen=True, kw_only=True)
class Gpus:
    """What the driver told: `gpus` in the first two, in the driver's order; `driver` in the third."""

    identity: Facts
    conditions: Facts
    driver: Facts


def read(nvml: ModuleType | Any = pynvml) -> Gpus:
    """Ask the NVIDIA driver once. Without one, everything is unavailable, with the driver library's own reason."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        reason = f"NVIDIA driver: {error}"
        return Gpus(identity=_none("gpus", reason), conditions=_none("gpus", reason), driver=_none("driver", reason))
    try:
        cards = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        return Gpus(
            identity=_of_each(nvml, cards, _IDENTITY),
            conditions=_of_each(nvml, cards, _CONDITIONS),
            driver=gather({"driver": partial(_ask, nvml, lambda nvml, _: nvml.nvmlSystemGetDriverVersion(), None)}),
        )
    except nvml.NVMLError as error:  # a card that has fallen off the bus
        reason = f"NVIDIA driver: {error}"
        return Gpus(identity=_none("gpus", reason), conditions=_none("gpus", reason), driver=_none("driver", reason))
    finally:
        nvml.nvmlShutdown()


def _of_each(nvml: Any, cards: list[Any], readers: Mapping[str, _Reader]) -> Facts:
    found = [gather({name: partial(_ask, nvml, reader, card) for name, reader in readers.items()}) for card in cards]
    return Facts(
        values={"gpus": [dict(facts.values) for facts in found]},
        unavailable={
            f"gpus.{index}.{name}": reason
            for index, facts in enumerate(found)
            for name, reason in facts.unavailable.items()
        },
    )


def _ask(nvml: Any, reader: _Reader, card: Any) -> Any:
    try:
        return reader(nvml, card)
    except nvml.NVMLError as error:
        raise UnavailableError(f"NVIDIA driver: {error}") from None


def _none(name: str, reason: str) -> Facts:
    return Facts(values={}, unavailable={name: reason})
