"""The clocks of three backends. A fake device with its own time line stands in for CUDA and MPS."""

import itertools
import subprocess
import sys
import time

import pytest
import torch

from bench.devices import cpu, cuda, mps


class FakeDevice:
    """A device that runs behind its host: work is queued at once and done `step_ns` later, on a clock of its own."""

    def __init__(self, step_ns: int, host_ns: int = 1_000) -> None:
        self.host = 0  # what the host's clock says
        self.done = 0  # when the queue will be empty
        self.step_ns, self.host_ns = step_ns, host_ns
        self.calls: list[str] = []

    def now(self) -> int:
        self.calls.append("clock")
        return self.host

    def work(self) -> None:
        self.host += self.host_ns
        self.done = max(self.done, self.host) + self.step_ns

    def synchronize(self, *_: object) -> None:
        self.calls.append("synchronize")
        self.host = max(self.host, self.done)

    def event(self, **_: object) -> "FakeEvent":
        return FakeEvent(self)


class FakeEvent:
    def __init__(self, device: FakeDevice) -> None:
        self.device, self.at, self.waits = device, 0, 0

    def record(self) -> None:
        self.at = max(self.device.done, self.device.host)

    def synchronize(self) -> None:
        if self.device.host < self.at:
            self.device.calls.append("event wait")
            self.device.host = self.at

    def elapsed_time(self, other: "FakeEvent") -> float:
        return (other.at - self.at) / 1e6


def run(clock, device: FakeDevice, steps: int):
    clock.start()
    for _ in range(steps):
        clock.ready()
        device.work()
        clock.end()
    return clock.stop()


@pytest.fixture
def gpu(monkeypatch):
    device = FakeDevice(step_ns=2_000_000)
    monkeypatch.setattr(torch.cuda, "Event", device.event)
    monkeypatch.setattr(torch.cuda, "synchronize", device.synchronize)
    return device


def test_the_cpu_clock_reads_the_length_of_each_step_and_closes() -> None:
    clock = cpu.HostClock(3)
    clock.start()
    for sleep_s in (0.04, 0.06, 0.08):
        time.sleep(sleep_s / 2)
        clock.ready()
        time.sleep(sleep_s / 2)
        clock.end()
    times = clock.stop()
    assert times.step_ns[0] < times.step_ns[1] < times.step_ns[2]
    assert all(length >= 40_000_000 for length in times.step_ns)
    assert all(0 < wait < length for wait, length in zip(times.wait_ns, times.step_ns, strict=True))
    assert times.closure_error < 0.001


def test_time_that_belongs_to_no_step_breaks_the_closure_of_the_cpu_clock(monkeypatch) -> None:
    monkeypatch.setattr(cpu, "_switches", lambda: 0)  # nobody takes the core: then the time is its own
    clock = cpu.HostClock(2)
    clock.start()
    for _ in range(2):
        clock.ready()
        time.sleep(0.01)
        clock.end()
    time.sleep(0.01)  # work that a backend called done too early, say
    assert clock.stop().closure_error > 0.2


def timed(clock: cpu.HostClock, steps: int, step_s: float = 0.01):
    clock.start()
    for _ in range(steps):
        clock.ready()
        time.sleep(step_s)
        clock.end()


def test_a_core_that_was_taken_away_after_the_last_step_is_no_time_that_escaped(monkeypatch) -> None:
    clock, counted = cpu.HostClock(2), itertools.count()
    monkeypatch.setattr(cpu, "_switches", lambda: next(counted))
    timed(clock, 2)
    time.sleep(0.03)  # to the two clocks, what a busy machine does between two readings looks like this
    assert clock.stop().closure_error < 0.001


def test_a_core_that_was_taken_away_between_two_clocks_is_no_time_that_escaped(monkeypatch) -> None:
    delays, other_ns = [0.03], cpu.other_ns

    def disturbed() -> int:
        if delays:
            time.sleep(delays.pop())
        return other_ns()

    monkeypatch.setattr(cpu, "other_ns", disturbed)
    clock = cpu.HostClock(1)
    clock.start()
    delays.append(0.03)  # at the close too
    clock.ready()
    time.sleep(0.01)
    clock.end()
    assert not delays
    assert clock.stop().closure_error < 0.001


@pytest.mark.parametrize("pace", [0.99, 1.005])
def test_a_clock_that_runs_at_another_pace_breaks_the_closure(monkeypatch, pace) -> None:
    monkeypatch.setattr(time, "perf_counter_ns", lambda: round(pace * time.monotonic_ns()))
    clock = cpu.HostClock(5)
    timed(clock, 5)
    assert clock.stop().closure_error == pytest.approx(abs(pace - 1), rel=0.2)


def test_a_step_that_is_not_told_breaks_the_closure() -> None:
    clock = cpu.HostClock(5)
    timed(clock, 5)
    times = clock.stop()
    assert times.closure_error < 0.001
    lost = times.step_ns.pop(2) / times.wall_ns
    assert times.closure_error == pytest.approx(lost, abs=0.001)


def test_a_segment_that_ends_before_its_last_step_does_not_excuse_what_came_after(monkeypatch) -> None:
    monkeypatch.setattr(cpu, "_switches", itertools.count().__next__)
    clock = cpu.HostClock(3)
    timed(clock, 2)
    time.sleep(0.01)
    assert clock.stop().closure_error > 0.2


@pytest.mark.slow
def test_beside_eight_busy_programs_every_short_segment_closes() -> None:
    """A core changes hands every few milliseconds here, and a segment lasts two: some end just then."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        misses = 0
        for _ in range(500):
            clock = cpu.HostClock(10)
            clock.start()
            for _ in range(10):
                clock.ready()
                until = time.perf_counter_ns() + 200_000
                while time.perf_counter_ns() < until:
                    pass
                clock.end()
            misses += clock.stop().closure_error > 0.001
    finally:
        for each in busy:
            each.kill()
            each.wait()
    assert misses == 0


def test_a_clock_that_was_made_for_more_steps_tells_only_those_that_ran() -> None:
    clock = cpu.HostClock(100)
    clock.start()
    clock.ready()
    clock.end()
    times = clock.stop()
    assert len(times.step_ns) == len(times.start_ns) == len(times.wait_ns) == len(times.steps) == 1


@pytest.mark.parametrize("ring", [1, 2, 7, 1000])
def test_cuda_steps_are_the_devices_own_although_the_host_runs_ahead(gpu, monkeypatch, ring) -> None:
    clock = cuda.EventClock(torch.device("cpu"), steps=50, ring=ring)
    monkeypatch.setattr(clock, "_now", gpu.now)
    times = run(clock, gpu, 50)
    # The first interval holds the host's first enqueue too; every other is the device's alone.
    assert list(times.step_ns[1:]) == [2_000_000] * 49
    assert times.closure_error < 0.001
    assert all(
        b - a == length for (a, b), length in zip(itertools.pairwise(times.start_ns), times.step_ns, strict=False)
    )


def test_cuda_waits_for_the_device_before_it_reads_the_closing_clock(gpu, monkeypatch) -> None:
    clock = cuda.EventClock(torch.device("cpu"), steps=5)
    monkeypatch.setattr(clock, "_now", gpu.now)
    times = run(clock, gpu, 5)
    assert gpu.calls[-2:] == ["synchronize", "clock"]
    assert times.wall_ns >= 5 * 2_000_000


def test_inside_the_window_the_cuda_clock_never_waits_for_the_device(gpu, monkeypatch) -> None:
    clock = cuda.EventClock(torch.device("cpu"), steps=200)
    monkeypatch.setattr(clock, "_now", gpu.now)
    clock.start()
    for _ in range(200):
        clock.ready()
        gpu.work()
        clock.end()
    assert "synchronize" not in gpu.calls
    assert "event wait" not in gpu.calls


@pytest.mark.parametrize(("steps", "block"), [(10, 5), (11, 5), (3, 5), (4, 1)])
def test_mps_closes_every_block_by_waiting_and_counts_all_steps(monkeypatch, steps, block) -> None:
    device = FakeDevice(step_ns=2_000_000)
    monkeypatch.setattr(mps, "synchronize", device.synchronize)
    clock = mps.BlockClock(torch.device("cpu"), steps, block)
    monkeypatch.setattr(clock, "_now", device.now)
    times = run(clock, device, steps)
    assert sum(times.steps) == steps
    assert sum(times.step_ns) == pytest.approx(steps * 2_000_000, rel=0.001)
    assert times.closure_error < 0.001
    for index, call in enumerate(device.calls):
        if call == "synchronize":
            assert device.calls[index + 1] == "clock"


def test_an_mps_block_is_long_enough_for_its_synchronisation_to_vanish() -> None:
    assert mps.clock(torch.device("cpu"), 1000, step_ns=2_000_000)._block == 50
    assert mps.clock(torch.device("cpu"), 1000, step_ns=10**9)._block == 1
