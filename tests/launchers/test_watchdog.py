from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers.findings import furthest_behind
from launchers.heartbeat import PHASES, Beat
from launchers.watchdog import Patience, Watchdog


def beat(rank=0, phase="window", step=1, ms=1):
    return Beat(rank=rank, phase=phase, step=step, steps=100, monotonic_ns=ms * 1_000_000)


def watchdog(ranks=1, *, stall_s=10, startup_s=180, finish_s=60):
    return Watchdog(ranks, stall_s, Patience(startup_s=startup_s, finish_s=finish_s), now_s=0)


def silent_after(dog, beats, living=(0,)):
    """For how many seconds the same beats may be shown, look by look, before somebody is called silent."""
    looked_s = dog._looked_s
    for seconds in range(1, 1000):
        if dog.look(beats, living, looked_s + seconds):
            return seconds - 1
    return None


def test_a_rank_that_makes_steps_may_be_silent_for_the_stall_limit():
    dog = watchdog()
    dog.look([beat(step=1, ms=1)], [0], 0)
    dog.look([beat(step=2, ms=2)], [0], 0)
    assert silent_after(dog, [beat(step=2, ms=2)]) == 10


def test_steps_that_were_all_made_between_two_looks_count_too():
    dog = watchdog()
    dog.look([beat(step=20)], [0], 0)
    assert silent_after(dog, [beat(step=20)]) == 10


def test_slow_steps_lengthen_the_patience_to_twenty_of_the_longest():
    dog = watchdog()
    for step, ms in ((1, 1000), (2, 4000), (3, 5000)):
        dog.look([beat(step=step, ms=ms)], [0], 0)
    assert silent_after(dog, [beat(step=3, ms=5000)]) == 20 * 3


@pytest.mark.parametrize("phase", [each for each in PHASES if each not in ("warm-up", "window")])
def test_outside_the_steps_patience_is_longer(phase):
    dog = watchdog()
    dog.look([beat(phase=phase)], [0], 0)
    assert silent_after(dog, [beat(phase=phase)]) == 180


def test_the_first_step_may_take_as_long_as_a_start():
    dog = watchdog()
    dog.look([beat(phase="warm-up", step=0)], [0], 0)
    assert silent_after(dog, [beat(phase="warm-up", step=0)]) == 180


def test_a_rank_that_has_never_spoken_is_starting():
    assert silent_after(watchdog(startup_s=30), [Beat(rank=0, phase="starting", step=0, steps=0, monotonic_ns=0)]) == 30


def test_once_a_rank_has_ended_the_others_have_the_finishing_time_from_then_on():
    dog = watchdog(ranks=2, finish_s=60)
    beats = [beat(rank=0, phase="finishing"), beat(rank=1, phase="finishing")]
    for second in range(100):
        assert dog.look(beats, [0, 1], second) == []
    assert silent_after(dog, beats, living=[0]) == 1 + 60  # the look that finds the other gone starts the count


def test_silence_while_the_supervisor_itself_was_asleep_does_not_count():
    dog = watchdog(stall_s=10, startup_s=10)
    dog.look([beat()], [0], 0)
    assert dog.look([beat()], [0], 100_000) == []
    assert silent_after(dog, [beat()]) == 9


def test_only_the_silent_ones_are_named():
    dog = watchdog(ranks=2, stall_s=5, startup_s=5)
    for second in range(7):
        silent = dog.look([beat(rank=0, step=second), beat(rank=1, phase="joining")], [0, 1], second)
    assert silent == [1]


def test_furthest_behind_goes_by_phase_before_step():
    beats = [beat(rank=0, phase="window", step=1), beat(rank=1, phase="warm-up", step=9), beat(rank=2, step=7)]
    assert [each.rank for each in furthest_behind(beats)] == [1]


def test_furthest_behind_goes_by_epoch_before_phase():
    ahead, behind = beat(rank=0, phase="window", step=1), beat(rank=1, phase="evaluating", step=9)
    beats = [replace(ahead, epoch=2), replace(behind, epoch=1)]
    assert [each.rank for each in furthest_behind(beats)] == [1]


@given(st.lists(st.tuples(st.sampled_from(PHASES), st.integers(0, 5)), min_size=1, max_size=6))
def test_nobody_is_behind_those_who_are_furthest_behind(places):
    beats = [beat(rank=rank, phase=phase, step=step) for rank, (phase, step) in enumerate(places)]
    last = furthest_behind(beats)
    assert last
    assert len({(each.phase, each.step) for each in last}) == 1
    for each in beats:
        ahead = (PHASES.index(each.phase), each.step) > (PHASES.index(last[0].phase), last[0].step)
        assert ahead != (each in last)
