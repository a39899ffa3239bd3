"""What measuring costs: our own calls of one step, timed with nothing between them."""

import statistics
import time
from types import ModuleType

import torch

from launchers.heartbeat import Heart

_REPEATS, _STEPS = 5, 200


def clock_ns_per_step(backend: ModuleType, device: torch.device, heart: Heart) -> float:
    """Nanoseconds a step spends in the clock and the heartbeat: median of 5 runs of 200 empty steps."""
    rounds = []
    for _ in range(_REPEATS):
        clock = backend.clock(device, _STEPS, 10**9)
        clock.start()
        began = time.perf_counter_ns()
        for step in range(_STEPS):
            clock.ready()
            heart.beat(step)
            clock.end()
        rounds.append((time.perf_counter_ns() - began) / _STEPS)
        clock.stop()
    return statistics.median(rounds)
