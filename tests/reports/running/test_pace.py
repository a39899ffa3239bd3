"""The time left, on a clock that the test turns: it follows what happens, and does not jump."""

import itertools
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from reports.running.pace import Pace
from tests.reports.running.running_plans import DDP, SINGLE, Clock, beat, plan

START_S, LOOK_S, WARMUP = 12.0, 0.5, 10


def looks(epochs, *, epoch_s, steps=390, evaluate_s=0.0, first=0, slower=lambda _: 1.0):
    """What a launcher sees of a training: pairs of seconds since the launch began, and a beat."""
    now = 0.0
    yield from ((each * LOOK_S, beat(phase="starting", step=0, steps=0)) for each in range(int(START_S / LOOK_S)))
    now = START_S
    for epoch in range(first + 1, (epochs or 1) + 1):
        for phase, usually_s in (("window", epoch_s), ("evaluating", evaluate_s)):
            lasts_s = usually_s * slower(epoch)
            for look in range(int(lasts_s / LOOK_S)):
                step = int(look * LOOK_S / lasts_s * steps)
                warm = epoch == first + 1 and step < WARMUP and phase == "window"
                document = {"phase": "warm-up" if warm else phase, "step": step, "steps": WARMUP if warm else steps}
                if epoch == first + 1 and phase == "window" and not warm:
                    document |= {"step": step - WARMUP, "steps": steps - WARMUP}
                if phase == "evaluating":
                    document["steps"] = 0
                yield now + look * LOOK_S, beat(**document, epoch=epoch if epochs else 0)
            now += lasts_s


def shown_while_running(pace, clock, a_plan, index, seen):
    """Run one launch; rows of seconds since its begin, and the time left."""
    pace.launch_started(a_plan.launches[index], index, a_plan)
    began, rows = clock.now, []
    for after, each in seen:
        clock.now = began + after
        pace.heard(each)
        rows.append((after, pace.left_s()))
    clock.now += LOOK_S
    return rows


def one_launch(seen, *, guess_s, epochs=None, **kept):
    clock = Clock()
    pace = Pace(clock)
    a_plan = plan(rounds=1, configurations=(SINGLE,), estimated_s=guess_s, epochs=epochs, **kept)
    pace.started(a_plan)
    rows = shown_while_running(pace, clock, a_plan, 0, seen)
    return rows, clock.now - 1000


GUESSES = [0.1, 0.5, 1.0, 2.0, 10.0]  # of what it really takes


def test_the_time_left_is_what_the_plan_guessed_until_a_launch_has_ended():
    clock = Clock()
    pace, a_plan = Pace(clock), plan(rounds=3, estimated_s=60)
    pace.started(a_plan)
    pace.launch_started(a_plan.launches[0], 0, a_plan)
    assert pace.left_s() == pytest.approx(60)
    clock.now += 4
    assert pace.left_s() == pytest.approx(56)


def test_the_time_left_follows_each_configurations_own_launches():
    clock = Clock()
    pace, a_plan = Pace(clock), plan(rounds=3)
    lasts = {SINGLE: 10.0, DDP: 30.0}
    pace.started(a_plan)
    for index, planned in enumerate(a_plan.launches[:3]):
        pace.launch_started(planned, index, a_plan)
        clock.now += lasts[planned.configuration]
        pace.launch_ended()
    assert pace.left_s() == pytest.approx(sum(lasts[each.configuration] for each in a_plan.launches[3:]))
    assert pace.left_s() != pytest.approx(60)  # three times the mean of one of each


def test_a_launch_that_overruns_before_its_first_step_is_not_told_as_nearly_done():
    clock = Clock()
    pace, a_plan = Pace(clock), plan(rounds=1, configurations=(SINGLE,), estimated_s=5)
    pace.started(a_plan)
    pace.launch_started(a_plan.launches[0], 0, a_plan)
    clock.now += 100
    assert pace.left_s() == pytest.approx(5 / 3)
    pace.heard(beat(step=0, steps=40))
    pace.heard(beat(step=40, steps=40))
    clock.now += 100
    assert pace.left_s() == 0


def test_a_resumed_study_counts_only_what_is_still_to_come():
    clock = Clock()
    pace, a_plan = Pace(clock), plan(rounds=3, estimated_s=60)
    pace.started(a_plan)
    pace.launch_started(a_plan.launches[4], 4, a_plan)
    assert pace.left_s() == pytest.approx(20)


@pytest.mark.parametrize("guess", GUESSES)
@pytest.mark.parametrize(
    ("epochs", "epoch_s", "evaluate_s"), [(200, 12, 1.5), (20, 60, 6), (3, 200, 20), (1, 600, 20), (None, 600, 0)]
)
def test_after_a_tenth_the_time_left_is_what_the_launch_s_own_pace_says(epochs, epoch_s, evaluate_s, guess):
    really_s = START_S + (epochs or 1) * (epoch_s + evaluate_s)
    seen = looks(epochs, epoch_s=epoch_s, evaluate_s=evaluate_s)
    rows, ended_s = one_launch(seen, guess_s=guess * really_s, epochs=epochs)
    assert ended_s == pytest.approx(really_s, rel=0.01)
    for after, left in rows:
        if after >= 0.1 * really_s:
            assert left == pytest.approx(really_s - after, rel=0.15, abs=0.06 * really_s)


def test_a_plan_of_83_minutes_for_a_training_of_45_is_corrected_after_a_tenth():
    seen = looks(200, epoch_s=12, evaluate_s=1.5)
    rows, _ = one_launch(seen, guess_s=83 * 60, epochs=200)
    (left,) = [left for after, left in rows if after == 280]
    assert left == pytest.approx(2700 - 280 + START_S, rel=0.05)


@pytest.mark.parametrize("guess", [0.5, 1.0, 2.0])
def test_the_time_left_does_not_jump(guess):
    """From one minute to the next it falls by a minute, give or take a tenth, once the guess counts no more."""
    busy = lambda epoch: 1.15 if epoch % 7 == 0 else 1.0  # noqa: E731 - an epoch in seven takes longer
    rows, ended_s = one_launch(looks(200, epoch_s=12, evaluate_s=1.5, slower=busy), guess_s=guess * 2700, epochs=200)
    lefts = [(after, left) for after, left in rows if after % 60 == 0]
    for (early, before), (later, after) in pairwise(lefts):
        change = after - before + (later - early)
        if later > 0.06 * ended_s:
            assert abs(change) <= 0.1 * before + 5
        else:
            assert abs(change) <= 0.5 * before, "even while it is corrected"


def test_the_time_left_never_rises_with_an_evaluation_that_takes_as_long_as_any_other():
    rows, _ = one_launch(looks(10, epoch_s=60, evaluate_s=30), guess_s=2000, epochs=10)
    lefts = [left for after, left in rows if after > START_S + 90]
    assert max(after - before for before, after in pairwise(lefts)) <= LOOK_S


def test_a_training_that_goes_on_at_epoch_150_counts_the_50_that_it_does():
    rows, ended_s = one_launch(looks(200, epoch_s=12, evaluate_s=1.5, first=150), guess_s=2700, epochs=200)
    assert ended_s < 700
    (left,) = [left for after, left in rows if after == 300]
    assert left == pytest.approx(ended_s - 300, rel=0.1)


def test_an_epoch_that_checkpoints_cut_into_windows_is_counted_as_a_whole():
    def seen():
        yield 0.0, beat(phase="starting", step=0, steps=0)
        for number in range(100):
            for step in range(10):  # ten windows an epoch, each told from 0 to its own end
                yield 12.0 + 10 * number + step, beat(step=step, steps=10, epoch=number // 10 + 1)

    rows, _ = one_launch(seen(), guess_s=1000, epochs=10, checkpoint_steps=10)
    for after, left in rows:
        assert left == pytest.approx(1012 - after, abs=15)


def test_before_the_first_step_the_guess_is_all_there_is():
    rows, _ = one_launch(
        [(0.0, beat(phase="starting", step=0, steps=0)), (9.0, beat(phase="joining", step=0, steps=0))], guess_s=100
    )
    assert [left for _, left in rows] == [100, 91]


def test_launches_to_come_last_what_the_running_one_will_until_one_has_ended():
    clock = Clock()
    pace, a_plan = Pace(clock), plan(rounds=3, configurations=(SINGLE,), estimated_s=3 * 5000, epochs=200)
    pace.started(a_plan)
    really_s = START_S + 2700
    for index in range(3):
        rows = shown_while_running(pace, clock, a_plan, index, looks(200, epoch_s=12, evaluate_s=1.5))
        for after, left in rows:
            if index or after >= 300:
                assert left == pytest.approx((3 - index) * really_s - after, rel=0.1, abs=0.03 * really_s)
        pace.launch_ended()
        assert pace.left_s() == pytest.approx((2 - index) * really_s, rel=0.02)


def test_what_has_ended_counts_for_its_own_configuration_and_the_running_one_for_its_own():
    clock = Clock()
    pace, a_plan = Pace(clock), plan(rounds=2, estimated_s=400)
    pace.started(a_plan)
    first, second, *rest = a_plan.launches
    pace.launch_started(first, 0, a_plan)
    clock.now += 100
    pace.launch_ended()
    pace.launch_started(second, 1, a_plan)
    clock.now += 20
    pace.heard(beat(step=0, steps=100))
    clock.now += 40
    pace.heard(beat(step=20, steps=100))
    lasts = {first.configuration: 100, second.configuration: 220}
    assert {first.configuration, second.configuration} == {SINGLE, DDP}
    assert pace.left_s() == pytest.approx(160 + sum(lasts[each.configuration] for each in rest))


LOOK_S = 0.5
WIDE = replace(SINGLE, cores_per_rank=2)
STARTS_S = {SINGLE.key: 4.0, DDP.key: 5.0, WIDE.key: 4.0}

# How much longer everything takes than on a quiet machine, over the study's own time in seconds
LOADS = {
    "quiet": lambda _: 1.0,
    "busy from the first": lambda _: 5.0,
    "busy from the middle": lambda s: 1.0 if s < 60 else 4.0,
    "comes and goes": lambda s: 1.0 if s % 240 < 120 else 3.0,
    "climbs": lambda s: min(5.0, 1.0 + s / 120),
}
# Seconds of training on a quiet machine, those of a window that a load does not stretch, and what the plan guessed
WORK = {
    "steps, alike": ({SINGLE.key: 4.0, DDP.key: 4.0, WIDE.key: 4.0}, 0.0, 1.0),
    "steps, unlike": ({SINGLE.key: 20.0, DDP.key: 6.0, WIDE.key: 10.0}, 0.0, 1.0),
    "steps, guessed wrong": ({SINGLE.key: 20.0, DDP.key: 6.0, WIDE.key: 10.0}, 0.0, 3.0),
    "seconds": ({SINGLE.key: 1.5, DDP.key: 2.0, WIDE.key: 1.0}, 6.0, 1.0),
    "epochs": ({SINGLE.key: 60.0, DDP.key: 35.0, WIDE.key: 40.0}, 0.0, 2.0),
}


def promises(work, load, *, rounds=6, scatter=0.15, seed=1):
    """(promised, really left) at each look from the second launch on, while five seconds or more are left."""
    training_s, window_s, wrong = WORK[work]
    asked = plan(rounds=rounds, configurations=(SINGLE, DDP, WIDE), epochs=5 if work == "epochs" else None)
    if window_s:
        asked = replace(asked, workload=replace(asked.workload, steps=None, seconds=window_s))
    guesses = {key: (5.0, wrong * each + window_s) for key, each in training_s.items()}
    total_s = sum(sum(guesses[each.configuration.key]) for each in asked.launches)
    asked = replace(asked, estimates=guesses, estimated_s=total_s)
    clock, rng = Clock(), Random(seed)
    pace, began, found = Pace(clock), clock.now, []
    pace.started(asked)
    for index, planned in enumerate(asked.launches):
        pace.launch_started(planned, index, asked)
        luck = rng.lognormvariate(0, scatter)
        own_s = training_s[planned.configuration.key]
        parts = [(STARTS_S[planned.configuration.key], False, False), (own_s, True, False), (window_s, True, True)]
        for left_of_part, is_window, fixed in parts:
            done = 0.0
            while done < left_of_part:
                clock.now += LOOK_S
                done += LOOK_S / (1.0 if fixed else luck * LOADS[load](clock.now - began))
                share = min(1.0, done / left_of_part)
                if is_window and fixed == bool(window_s):
                    epoch = min(5, 1 + int(5 * share)) if work == "epochs" else 0
                    pace.heard(beat(step=round(share * 40), steps=40, epoch=epoch))
                if index:
                    found.append((clock.now, pace.left_s()))
        clock.now += 0.3
        pace.launch_ended()
    return [(left, clock.now - at) for at, left in found if clock.now - at >= 5]


def kept(pairs):
    """The share of the promises within a factor of 1.5."""
    return sum(1 / 1.5 <= promised / really <= 1.5 for promised, really in pairs) / len(pairs)


FORESEEN = ("quiet", "busy from the first")


@pytest.mark.parametrize(("work", "load"), itertools.product(WORK, FORESEEN))
def test_from_the_second_launch_on_the_promise_holds_within_a_factor_of_one_and_a_half(work, load):
    assert kept(promises(work, load)) >= 0.95


@pytest.mark.parametrize("work", WORK)
def test_with_the_last_load_the_promise_is_right_again_once_a_launch_has_met_it(work):
    """Nobody can know of a load before it comes; afterwards it is expected to stay."""
    assert kept(promises(work, "busy from the middle")) >= 0.6
    assert kept(promises(work, "busy from the middle")[-40:]) >= 0.95


@pytest.mark.parametrize(("load", "least"), [("comes and goes", 0.3), ("climbs", 0.5)])
@pytest.mark.parametrize("work", WORK)
def test_under_a_load_that_nobody_foresees_some_promises_hold(work, load, least):
    """Where every launch to come took what its like took on average, 3 to 20 % of those under a climbing load held."""
    assert kept(promises(work, load)) >= least
