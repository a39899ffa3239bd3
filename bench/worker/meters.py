"""What a window uses beside time, and what limited it: read at both ends of each of its segments, outside of them.

Times are in seconds, memory in bytes, clocks in MHz.
"""

import gc
import os
import resource
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from bench.dna import cgroup, conditions, gpu, linux
from bench.dna import nvml as binding
from bench.dna.facts import READ_FAILURES, AbsentError, UnavailableError, gather, reason_of
from bench.dna.machine import usable_cpus
from bench.worker import energy
from bench.worker.window import Record


class Meters:
    """Read at both ends of each segment of the window, outside of its timed steps."""

    def __init__(self, device: torch.device, *, devices: int, first_of_host: bool) -> None:
        self.energy = energy.meter(device, devices=devices, first_of_host=first_of_host)
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
