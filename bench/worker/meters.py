"""What a window uses beside time, and what limited it: read at both ends of each of its segments, outside of them.

Times are in seconds, memory in bytes, clocks in MHz.
"""

import gc
import os
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.dna import cgroup, conditions, gpu, linux
from bench.dna import nvml as binding
from bench.dna.facts import READ_FAILURES, AbsentError, UnavailableError, gather, reason_of
from bench.dna.machine import usable_cpus
from bench.worker.window import Record

POWERCAP = Path("/sys/class/powercap")

# No package takes more: the largest server parts are sold with 500 W. Where the kernel tells a lower limit, that one.
_MOST_W = 1000.0


class Meters:
    """Read at both ends of each segment of the window, outside of its timed steps."""

    def __init__(self, device: torch.device, *, devices: int, first_of_host: bool) -> None:
        self.energy = energy_meter(device, devices=devices, first_of_host=first_of_host)
        self.limits = Limits(device, devices)
        self._collected_ns = self._began_ns = 0
        gc.callbacks.append(self._collector)

    def start(self) -> None:
        self.energy.start()
        self.limits.start()
        self._before = self._read()

    def stop(self, record: Record) -> None:
        self.limits.stop()
        self.energy.stop()
        cpu_s, switches, collected_ns = (now - before for now, before in zip(self._read(), self._before, strict=True))
        record.window_cpu_s += cpu_s
        record.window_switches += int(switches)
        record.window_collection_ns += int(collected_ns)

    def start_over(self, record: Record) -> None:
        """What was timed so far is warm-up, and what it used does not count."""
        self.energy.start_over()
        self.limits.start_over()
        record.start_over()

    def _read(self) -> tuple[float, int, int]:
        return time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw, self._collected_ns

    def _collector(self, phase: str, _: dict[str, int]) -> None:
        """The collector runs when it would in any loop; this costs nothing while it does not."""
        if phase == "start":
            self._began_ns = time.perf_counter_ns()
        else:
            self._collected_ns += time.perf_counter_ns() - self._began_ns


class Limits:
    """The CPU quota and how long it paused us, clocks, memory.

    Adds up what the counters say of the segments between `start` and `stop`, both outside of the timed steps.
    """

    def __init__(self, device: torch.device, devices: int = 1) -> None:
        """A rank that drives so many devices of this kind."""
        self._device, self._devices = device, range(devices) if devices > 1 else [device.index]
        self._before: int | None = None
        self._throttled_ns: int | None = None
        self._gap, self._gpu_gap = "no window was timed", "the driver does not tell"
        self._held_down: set[str] | None = None  # None: it was not told

    def start(self) -> None:
        self._before = self._read()
        self._look_at_clocks()

    def stop(self) -> None:
        after = self._read()
        if self._before is not None and after is not None:
            self._throttled_ns = (self._throttled_ns or 0) + max(0, after - self._before)
        self._look_at_clocks()

    def start_over(self) -> None:
        """What was added up so far does not count."""
        self._throttled_ns, self._held_down = None, None

    def facts(self) -> dict[str, Mapping[str, Any]]:
        """Everything, once the window is over: each is among the values, or its reason among the gaps."""
        cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else usable_cpus()
        found = gather(
            {
                "cpu_quota": lambda: conditions.limited(cgroup.cpu_quota(), "CPU time"),
                "throttled": self._throttled_s,
                "governor": lambda: conditions.summarised(linux.governors(cpus).values()),
                "clock_cap": partial(conditions.clock_cap_mhz, cpus),
                "turbo": linux.turbo,
                "memory_limit": lambda: conditions.limited(cgroup.memory(), "memory").limit_bytes,
                "memory_left": lambda: conditions.limited(cgroup.memory(), "memory").left_bytes,
                "gpu_throttling": self._gpu_throttling,
            }
        )
        return {"values": found.values, "gaps": found.unavailable}

    def _read(self) -> int | None:
        try:
            return cgroup.throttled_ns()
        except READ_FAILURES as error:
            self._gap = reason_of(error)
            return None

    def _throttled_s(self) -> float:
        if self._throttled_ns is None:
            raise AbsentError(self._gap)
        return self._throttled_ns / 1e9

    def _look_at_clocks(self) -> None:
        """Whether the driver holds a card's clocks down, at both ends of the window."""
        if self._device.type != "cuda" or torch.version.hip is not None:
            return
        try:
            with binding.driver() as asked:
                for each in self._devices:
                    uuid = f"GPU-{torch.cuda.get_device_properties(each).uuid}"
                    card = asked.nvmlDeviceGetHandleByUUID(uuid)
                    bits = asked.nvmlDeviceGetCurrentClocksThrottleReasons(card)
                    self._held_down = (self._held_down or set()) | set(gpu.held_down(bits))
        except READ_FAILURES as error:
            self._gpu_gap = str(error)

    def _gpu_throttling(self) -> str:
        if self._device.type != "cuda":
            raise AbsentError("no GPU was used")
        if self._held_down is None:
            raise UnavailableError(self._gpu_gap)
        return ", ".join(sorted(self._held_down))


class NoCounterError(Exception):
    """Energy cannot be read here, with the reason."""


class Packages:
    """All CPU packages of this host, by counters (RAPL, on Linux) that the first rank there reads for all.

    They run for whoever uses a package, other programs and the memory's controller included, and begin again at zero
    after minutes of full load (65 to 262 kJ).
    """

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
    """The GPUs that a process drives, known to NVML by torch's name of them; what the host takes is not in it."""

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


class EnergyMeter:
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


def energy_meter(device: torch.device, *, devices: int, first_of_host: bool) -> EnergyMeter:
    """What a rank reads: its `devices` GPUs, or its host's packages if it is the first there."""
    if device.type == "cuda" and torch.version.hip is None:
        own = range(devices) if devices > 1 else [device.index]
        return EnergyMeter(lambda: Cards(own))
    if device.type == "cpu":
        return EnergyMeter(Packages if first_of_host else None)
    return EnergyMeter(lambda: _none(device.type))


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
