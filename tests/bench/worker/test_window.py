"""The window of steps or seconds, filled from step lengths that were made up; no clock and no training."""

from array import array
from dataclasses import dataclass, field

import numpy as np
import pytest

from bench.analysis.statistics.steady import Steps, equal_cut
from bench.devices import StepTimes
from bench.plan import Workload
from bench.worker.group import Group
from bench.worker.train import Segment
from bench.worker.window import Record, Window

WARMUP, BATCH = 10, 16


@dataclass
class Made:
    """One rank whose steps take what `lengths_ms` says, one after the other."""

    lengths_ms: object
    record: Record = field(default_factory=Record)
    parts: list[int] = field(default_factory=list)
    starts_over: int = 0

    def train(self, steps, step_ns=0, *, in_window=True):
        lengths = array("q", (round(next(self.lengths_ms) * 1e6) for _ in range(steps)))
        zeros, ones = array("q", [0] * steps), array("q", [1] * steps)
        times = StepTimes(start_ns=zeros, step_ns=lengths, wait_ns=zeros, steps=ones, wall_ns=sum(lengths))
        segment = Segment(times=times, samples=steps * BATCH, loss_sum=0.0, correct=None, learning_rate=0.1)
        self.record.add(segment, epoch=0, in_window=in_window, batch=BATCH)
        self.parts += [steps] * in_window

    def start_over(self):
        self.record.start_over()
        self.starts_over += 1

    def timed_ms(self):
        columns = self.record.columns
        return [each / 1e6 for each, timed in zip(columns["step_ns"], columns["in_window"], strict=True) if timed]


def timed(lengths_ms, *, minimum_steps=10, **asked):
    made = Made(iter(lengths_ms))
    made.train(WARMUP, in_window=False)
    work = Workload(model="x", warmup_steps=WARMUP, **asked)
    single = Group(rank=0, world_size=1, backend=None)
    Window(
        record=made.record,
        group=single,
        workload=work,
        minimum_steps=minimum_steps,
    ).time(made.train, made.start_over)
    return made


def series(*levels, seed=0, sd=0.005):
    """(how many, ms) one after the other; the last goes on."""
    rng = np.random.default_rng(seed)
    for count, level in (*levels[:-1], (100_000, levels[-1][1])):
        yield from level * rng.normal(1, sd, count)


@pytest.mark.parametrize("slow", [0, 8, 12, 13, 16])
def test_the_seconds_that_were_asked_for_are_kept_and_steady(slow):
    made = timed(series((slow, 220.0), (0, 150.0)), seconds=3.0)
    kept = made.timed_ms()
    assert sum(kept) >= 3000
    assert max(kept) < 160
    assert made.starts_over == (slow > WARMUP)


def test_the_steps_that_were_asked_for_are_kept_exactly():
    for slow in (0, 14):
        assert len(timed(series((slow, 220.0), (0, 150.0)), steps=30).timed_ms()) == 30


def test_a_steady_launch_has_one_window_in_two_parts():
    parts = timed(series((0, 2.0)), seconds=1.0).parts
    assert len(parts) == 2
    assert sum(parts) == pytest.approx(510, abs=5)


def test_a_launch_that_slows_down_after_its_warm_up_is_not_held_for_many_times_its_seconds():
    made = timed(series((WARMUP, 1.0), (0, 20.0)), seconds=2.0)
    assert 2000 <= sum(made.timed_ms()) < 6 * 2000
    assert sum(made.parts) * 20.0 < 10 * 2000


def test_a_window_that_was_estimated_too_short_is_filled():
    made = timed(series((WARMUP, 100.0), (0, 10.0)), seconds=2.0)
    assert sum(made.timed_ms()) >= 2000
    assert len(made.parts) > 1


def test_a_launch_that_never_gets_steady_is_timed_twice_and_no_more():
    falling = iter(200 * 0.99 ** np.arange(1000))
    made = timed(falling, seconds=2.0)
    assert made.starts_over == 1
    assert made.record.columns["in_window"].count(0) >= WARMUP + 10


def test_what_was_measured_of_the_first_try_is_forgotten():
    record = timed(series((14, 220.0), (0, 150.0)), seconds=3.0).record
    assert len(record.closure_errors) == 2
    assert sum(record.columns["in_window"]) < len(record.columns["in_window"]) - WARMUP


@pytest.mark.parametrize("slow", [0, 12, 14])
def test_of_what_the_ranks_found_steady_the_analysis_cuts_nothing(slow):
    launches = []
    for seed in range(3):
        columns = timed(series((slow, 220.0), (0, 150.0), seed=seed), seconds=3.0).record.columns
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        arrays["in_window"] = arrays["in_window"].astype(bool)
        launches.append(Steps(rank=np.zeros(len(arrays["step"]), dtype=np.int64), **arrays))
    assert equal_cut(launches) == 0


def test_the_slowest_rank_decides_for_all():
    class Two(Group):
        def gather(self, value):
            return (
                [value, [each * 1.5 if place < 14 else each for place, each in enumerate(value)]]
                if isinstance(value, list)
                else [value, value]
            )

    made = Made(series((0, 100.0)))
    made.train(WARMUP, in_window=False)
    work = Workload(model="x", warmup_steps=WARMUP, seconds=2.0)
    group = Two(rank=0, world_size=2, backend="gloo")
    window = Window(record=made.record, group=group, workload=work, minimum_steps=10)
    window.time(made.train, made.start_over)
    assert made.starts_over == 1
