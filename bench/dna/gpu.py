"""NVIDIA GPUs as their driver tells them: stable facts, the conditions of the moment, and the driver itself.

Never asked for: serial numbers, UUIDs, bus addresses, and who else is using the card.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.dna import nvml
from bench.dna.facts import Facts, UnavailableError, gap, gather

_Reader = Callable[[Any, Any], Any]  # (NVML, handle of the card) -> fact

_IDENTITY: Mapping[str, _Reader] = {
    "name": lambda asked, card: asked.nvmlDeviceGetName(card),
    "compute_capability": lambda asked, card: ".".join(map(str, asked.nvmlDeviceGetCudaComputeCapability(card))),
    "cores": lambda asked, card: asked.nvmlDeviceGetNumGpuCores(card),
    # Rounded: what the driver keeps for itself differs from one driver to the next.
    "memory_gib": lambda asked, card: round(asked.nvmlDeviceGetMemoryInfo(card).total / 2**30),
    "memory_bus_bits": lambda asked, card: asked.nvmlDeviceGetMemoryBusWidth(card),
    "max_sm_clock_mhz": lambda asked, card: asked.nvmlDeviceGetMaxClockInfo(card, asked.NVML_CLOCK_SM),
    "max_memory_clock_mhz": lambda asked, card: asked.nvmlDeviceGetMaxClockInfo(card, asked.NVML_CLOCK_MEM),
    "pcie_generation": lambda asked, card: asked.nvmlDeviceGetMaxPcieLinkGeneration(card),
    "pcie_lanes": lambda asked, card: asked.nvmlDeviceGetMaxPcieLinkWidth(card),
    "ecc": lambda asked, card: bool(asked.nvmlDeviceGetEccMode(card)[0]),
    "mig": lambda asked, card: bool(asked.nvmlDeviceGetMigMode(card)[0]),
}

_CONDITIONS: Mapping[str, _Reader] = {
    "sm_clock_mhz": lambda asked, card: asked.nvmlDeviceGetClockInfo(card, asked.NVML_CLOCK_SM),
    "memory_clock_mhz": lambda asked, card: asked.nvmlDeviceGetClockInfo(card, asked.NVML_CLOCK_MEM),
    "power_w": lambda asked, card: asked.nvmlDeviceGetPowerUsage(card) / 1000,
    "power_limit_w": lambda asked, card: asked.nvmlDeviceGetEnforcedPowerLimit(card) / 1000,
    "temperature_c": lambda asked, card: asked.nvmlDeviceGetTemperature(card, asked.NVML_TEMPERATURE_GPU),
    "throttle_reasons": lambda asked, card: hex(asked.nvmlDeviceGetCurrentClocksThrottleReasons(card)),
    "utilization": lambda asked, card: asked.nvmlDeviceGetUtilizationRates(card).gpu / 100,
    "memory_used_gib": lambda asked, card: round(asked.nvmlDeviceGetMemoryInfo(card).used / 2**30, 2),
}


# Bits of nvmlClocksEventReasons (nvml.h) that keep a clock low against the user's will. Idle clocks, clocks that were
# set by hand and the sync boost group are not among them.
POWER_LIMIT = "power limit"
_HELD_DOWN = {
    0x04: POWER_LIMIT,
    0x08: "hardware slowdown",
    0x20: "temperature (driver)",
    0x40: "temperature (hardware)",
    0x80: "power brake",
}


def held_down(bits: int) -> list[str]:
    """What holds the clocks of a card down, by the driver's word for it."""
    return [reason for bit, reason in _HELD_DOWN.items() if bits & bit]


@dataclass(frozen=True, kw_only=True)
class Gpus:
    """What the driver gave: `gpus` in the first two, in the driver's order; `driver` in the third."""

    identity: Facts
    conditions: Facts
    driver: Facts


def read(library: Any = None) -> Gpus:
    """Ask the NVIDIA driver once; a card that is lost costs its own facts only.

    Args:
        library: stands in for the module `pynvml` in tests.
    """
    try:
        with nvml.driver(library) as asked:
            cards = nvml.cards(asked)
            return Gpus(
                identity=_of_each(asked, cards, _IDENTITY),
                conditions=_of_each(asked, cards, _CONDITIONS),
                driver=gather({"driver": asked.nvmlSystemGetDriverVersion}),
            )
    except UnavailableError as error:
        reason = gap(error)
        return Gpus(identity=_none("gpus", reason), conditions=_none("gpus", reason), driver=_none("driver", reason))


def _of_each(asked: nvml.Driver, cards: Sequence[nvml.NvmlCard], readers: Mapping[str, _Reader]) -> Facts:
    found = [gather({name: partial(_ask, asked, reader, card) for name, reader in readers.items()}) for card in cards]
    return Facts(
        values={"gpus": [dict(facts.values) for facts in found]},
        unavailable={
            f"gpus.{index}.{name}": reason
            for index, facts in enumerate(found)
            for name, reason in facts.unavailable.items()
        },
    )


def _ask(asked: nvml.Driver, reader: _Reader, card: nvml.NvmlCard) -> Any:
    if card.trouble is not None:
        raise UnavailableError(card.trouble)
    return reader(asked, card.handle)


def _none(name: str, reason: str) -> Facts:
    return Facts(values={}, unavailable={name: reason})
