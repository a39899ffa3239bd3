"""Energy of the window, from counters that the hardware keeps: a GPU's own (NVML), a CPU package's (RAPL, on Linux).

A package's counter runs for whoever uses it, other programs and the memory's controller included, and belongs to the
host: its first rank reads it for all. On a GPU each rank reads its own card; what the host takes is not in it.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

POWERCAP = Path("/sys/class/powercap")


class NoCounterError(Exception):
    """Energy cannot be read here, with the reason."""


class Packages:
    """All CPU packages of this host. Their counters begin again at zero after minutes of full load."""

    def __init__(self, powercap: Path = POWERCAP) -> None:
        try:
            domains = [each for each in sorted(powercap.glob("intel-rapl:*")) if _is_package(each)]
            self._counters = [each / "energy_uj" for each in domains]
            self._ranges = [int((each / "max_energy_range_uj").read_text()) for each in domains]
            self.read()
        except PermissionError as error:
            raise NoCounterError(f"{Path(error.filename).name} of RAPL may be read by root only") from error
        except (OSError, ValueError) as error:
            raise NoCounterError(f"RAPL: {type(error).__name__}") from error
        if not domains:
            raise NoCounterError("this host shows no RAPL counter")

    def read(self) -> list[int]:
        """Microjoules of each package."""
        return [int(counter.read_text()) for counter in self._counters]

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        """Between two readings, less than one round of the counter apart (262 kJ: 20 minutes at 200 W)."""
        passed = zip(before, after, self._ranges, strict=True)
        return sum(then - was if then >= was else then - was + size for was, then, size in passed) / 1e6


class Cards:
    """The GPUs that a process drives, known to the driver by torch's name of them."""

    def __init__(self, devices: Sequence[int], nvml: Any = None) -> None:
        self._nvml = nvml = nvml or import_module("pynvml")  # a rank on a CPU does without
        try:
            nvml.nvmlInit()
            uuids = [f"GPU-{torch.cuda.get_device_properties(each).uuid}" for each in devices]
            self._handles = [nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in uuids]
            self.read()
        except nvml.NVMLError as error:
            raise NoCounterError(f"NVIDIA driver: {error}") from error

    def read(self) -> list[int]:
        """Millijoules of each card since its driver was loaded."""
        return [self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in self._handles]

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        return sum(then - was for was, then in zip(before, after, strict=True)) / 1e3


class Meter:
    """Adds up the joules of the segments between `start` and `stop`; both are called outside of the timed steps."""

    def __init__(self, counter: Callable[[], Packages | Cards] | None) -> None:
        """`counter` opens what this rank reads; None where another rank reads it."""
        self.joules: float | None = None
        self.gap: str | None = None  # why this rank, which should, could not read it
        self._counter: Packages | Cards | None = None
        self._before: list[int] | None = None
        try:
            self._counter = counter() if counter else None
        except NoCounterError as error:
            self.gap = str(error)

    def start(self) -> None:
        self._before = self._read()

    def stop(self) -> None:
        after = self._read()
        if self._counter is None or self._before is None or after is None:
            self.joules = None
        else:
            self.joules = (self.joules or 0.0) + self._counter.joules(self._before, after)

    def _read(self) -> list[int] | None:
        """A counter that is lost costs the joules and not the launch."""
        if self._counter is None:
            return None
        try:
            return self._counter.read()
        except Exception as error:  # noqa: BLE001 - a driver has its own kinds of error
            self.gap, self._counter = f"the counter was lost: {type(error).__name__}", None
            return None


def meter(device: torch.device, *, devices: int, first_of_host: bool) -> Meter:
    """What a rank reads: its `devices` GPUs, or its host's packages if it is the first there."""
    if device.type == "cuda" and torch.version.hip is None:
        own = range(devices) if devices > 1 else [device.index]
        return Meter(lambda: Cards(own))
    if device.type == "cpu":
        return Meter(Packages if first_of_host else None)
    return Meter(lambda: _none(device.type))


def _none(kind: str) -> Packages:
    raise NoCounterError(f"no counter is read on {kind}")


def _is_package(domain: Path) -> bool:
    """Not a part of a package (cores, memory), and not the whole platform, which would count a package twice."""
    return (domain / "name").read_text().startswith("package")
