"""What a window uses beside time: energy, CPU time, context switches, and the garbage collector's part of it."""

import gc
import resource
import time

import torch

from bench.worker import energy
from bench.worker.limits import Watch
from bench.worker.record import Record


class Meters:
    """Read at both ends of each segment of the window, outside of its timed steps."""

    def __init__(self, device: torch.device, *, devices: int, first_of_host: bool) -> None:
        self.energy = energy.meter(device, devices=devices, first_of_host=first_of_host)
        self.limits = Watch(device, devices)
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
