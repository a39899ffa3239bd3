"""Energy of the window, from counters that the hardware keeps: a GPU's own (NVML), a CPU package's (RAPL, on Linux).

A package's counter runs for whoever uses it, other programs and the memory's controller included, and belongs to the
host: its first rank reads it for all. On a GPU each rank reads its own card; what the host takes is not in it.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from bench.dna import nvml as binding
from bench.dna.facts import UnavailableError

POWERCAP = Path("/sys/class/powercap")

# No package takes more: the largest server parts are sold with 500 W. Where the kernel tells a lower limit, that one.
_MOST_W = 1000.0


class NoCounterError(Exception):
    """Energy cannot be read here, with the reason."""


class Packages:
    """All CPU packages of this host. Their counters begin again at zero after minutes of full load (65 to 262 kJ)."""

    names: tuple[str, ...]

    def __init__(self, powercap: Path = POWERCAP) -> None:
        try:
            domains = [each for each in sorted(powercap.glob("intel-rapl:*")) if _is_package(each)]
            self._counters = [each / "energy_uj" for each in domains]
            self._ranges = [int((each / "max_energy_range_uj").read_text()) for each in domains]
            self._most_w = [_most_w(each) for each in domains]
            self.names = tuple((each / "name").read_text().strip() for each in domains)
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

    def joules(self, before: Sequence[int], after: Sequence[int], seconds: float) -> list[float]:
        """Of each package between two readings.

        Raises:
            NoCounterError: so much time passed that a counter may have gone round more than once.
        """
        passed = []
        for was, then, size, most_w in zip(before, after, self._ranges, self._most_w, strict=True):
            uj = then - was if then >= was else then - was + size
            if uj + size <= most_w * seconds * 1e6:
                raise NoCounterError(
                    f"RAPL's counter holds {size / 1e6:.0f} J and may have gone round unseen in {seconds:.0f} s "
                    f"at up to {most_w:.0f} W: measure for less at a time (--seconds, or shorter epochs)"
                )
            passed.append(uj / 1e6)
        return passed


class Cards:
    """The GPUs that a process drives, known to the driver by torch's name of them."""

    def __init__(self, devices: Sequence[int], nvml: Any = None) -> None:
        self.names = tuple(f"GPU {each}" for each in devices)
        try:
            self._nvml = binding.opened(nvml)
            uuids = [f"GPU-{torch.cuda.get_device_properties(each).uuid}" for each in devices]
            self._handles = [self._nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in uuids]
            self.read()
        except UnavailableError as error:
            raise NoCounterError(str(error)) from error

    def read(self) -> list[int]:
        """Millijoules of each card since its driver was loaded."""
        return [self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in self._handles]

    def joules(self, before: Sequence[int], after: Sequence[int], seconds: float) -> list[float]:  # noqa: ARG002
        """Of each card between two readings; 64 bits of millijoules do not run over."""
        return [(then - was) / 1e3 for was, then in zip(before, after, strict=True)]


class Meter:
    """Adds up the joules of the segments between `start` and `stop`; both are called outside of the timed steps."""

    def __init__(self, counter: Callable[[], Packages | Cards] | None) -> None:
        """`counter` opens what this rank reads; None where another rank reads it."""
        self.gap: str | None = None  # why this rank, which should, could not read it
        self._joules: list[float] | None = None  # of each counter
        self._began_s = 0.0
        self._counter: Packages | Cards | None = None
        self._before: list[int] | None = None
        try:
            self._counter = counter() if counter else None
        except NoCounterError as error:
            self.gap = str(error)

    @property
    def joules(self) -> float | None:
        """Of all counters; None, with the reason in `gap`, where one of them did not count."""
        return None if self._joules is None or self._stands_still() else sum(self._joules)

    def start(self) -> None:
        self._before, self._began_s = self._read(), time.monotonic()

    def stop(self) -> None:
        after, seconds = self._read(), time.monotonic() - self._began_s
        if self._counter is None or self._before is None or after is None:
            self._joules = None
            return
        try:
            passed = self._counter.joules(self._before, after, seconds)
        except NoCounterError as error:
            self.gap, self._counter, self._joules = str(error), None, None
            return
        self._joules = [sum(each) for each in zip(self._joules or [0.0] * len(passed), passed, strict=True)]
        self._stands_still()

    def _stands_still(self) -> bool:
        """A training that took nothing is a counter that does not count (virtual machines, a driver's idle stub)."""
        if self._joules is None or self._counter is None or all(each > 0 for each in self._joules):
            return False
        still = [name for name, each in zip(self._counter.names, self._joules, strict=True) if each <= 0]
        self.gap = f"the energy counter of {', '.join(still)} stood still over the window"
        return True

    def start_over(self) -> None:
        """What was added up so far does not count."""
        self._joules = None

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


def _most_w(domain: Path) -> float:
    """What a package takes at most, by the kernel's limits of it (short and long term); a bound where it has none."""
    limits = []
    for file in domain.glob("constraint_*_*_uw"):
        try:
            limits.append(int(file.read_text()) / 1e6)
        except (OSError, ValueError):
            continue
    known = [each for each in limits if each > 0]
    return min(_MOST_W, 2 * max(known)) if known else _MOST_W  # a peak may pass the limit for a moment
