"""What a running study says, on a clock that the test turns."""

from dataclasses import replace
from itertools import pairwise

import pytest

from bench.store.schema import Launch
from launchers import heartbeat
from reports.running import progress
from tests.reports.running.running_plans import DDP, SINGLE, Clock, beat, plan


def ended(planned, status="ok", reason=None, rate=2254.3) -> Launch:
    configuration = planned.configuration
    return Launch(
        study_id="s1",
        launch_id=planned.launch_id,
        model="lenet-small",
        data="synthetic",
        precision="fp32",
        memory_format="contiguous",
        scaling="weak",
        seed=0,
        configuration=configuration.key,
        strategy=configuration.strategy,
        device=configuration.device,
        backend=configuration.backend,
        ranks=configuration.ranks,
        cores_per_rank=configuration.cores_per_rank,
        batch_per_rank=64,
        batch_global=configuration.batch_global,
        round=planned.round,
        position=planned.position,
        status=status,
        reason=reason,
        started_at="2026-11-22T08:14:55+00:00",
        throughput_sps=rate if status == "ok" else None,
    )


def run(teller, a_plan, clock, lasts_s, looks=(), **outcome):
    """The whole plan; each launch lasts so long, and the launcher looks so many seconds after its start."""
    teller.started(a_plan)
    for index, planned in enumerate(a_plan.launches):
        teller.launch_started(planned, index, len(a_plan.launches))
        began = clock.now
        for after in looks:
            clock.now = began + after
            teller.beats([beat()])
        clock.now = began + lasts_s
        teller.launch_ended(ended(planned, **outcome))
    teller.finished()


# Which one


@pytest.mark.parametrize(
    ("kind", "asked", "environment", "which"),
    [
        ({"is_terminal": True}, {}, {}, progress.Live),
        ({"is_terminal": False}, {}, {}, progress.Plain),
        ({"is_terminal": True}, {"plain": True}, {}, progress.Plain),
        ({"is_terminal": True}, {}, {"NO_COLOR": "1"}, progress.Plain),
        ({"is_terminal": True}, {}, {"TERM": "dumb"}, progress.Plain),
        ({"is_terminal": True}, {}, {"CI": "true"}, progress.Plain),
        ({"is_terminal": True}, {"json": True}, {}, progress.Silent),
    ],
)
def test_a_terminal_gets_a_live_line_and_everything_else_plain_ones(
    stream, monkeypatch, kind, asked, environment, which
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(progress.for_stream(stream(**kind), **{"plain": False, "json": False, **asked})) is which


def test_silent_takes_everything_and_says_nothing(stream):
    target, clock = stream(is_terminal=True), Clock()
    run(progress.for_stream(target, plain=False, json=True, clock=clock), plan(), clock, 5, looks=(1, 2))
    assert target.getvalue() == ""


def test_the_phases_are_those_of_the_heartbeat():
    assert progress.PHASES == heartbeat.PHASES


# Plain lines


@pytest.fixture
def plain(stream):
    clock = Clock()
    target = stream()
    return progress.for_stream(target, plain=True, json=False, clock=clock), target, clock


def test_plain_says_a_line_when_a_launch_ends(plain):
    teller, target, clock = plain
    a_plan = plan(rounds=1, configurations=(DDP,))
    run(teller, a_plan, clock, 9)
    assert target.getvalue().splitlines() == [
        "Study s1: 1 launch",
        "[1/1] ddp cpu x2 · round 1: 2 254 samples/s (nearly done)",
        "Done in 9 s",
    ]


def test_plain_says_why_a_launch_failed_on_one_line(plain):
    teller, target, clock = plain
    reason = "rank 1 ended first:\n\x1b[31mRuntimeError\x1b[0m"
    run(teller, plan(rounds=1, configurations=(DDP,)), clock, 9, status="crash", reason=reason)
    assert "[1/1] ddp cpu x2 · round 1: crash: rank 1 ended first: RuntimeError (" in target.getvalue()


def test_plain_shows_life_once_a_minute_in_a_long_launch(plain):
    teller, target, clock = plain
    run(teller, plan(rounds=1, configurations=(DDP,)), clock, 200, looks=[0.2 * each for each in range(1000)])
    lines = [line for line in target.getvalue().splitlines() if "window 28/40" in line]
    assert len(lines) == 3
    assert lines[0].startswith("[1/1] ddp cpu x2 · round 1 · window 28/40 · ")


def test_ten_minutes_in_a_log_are_less_than_two_hundred_lines_and_none_is_silent_for_long(plain):
    teller, target, clock = plain
    spoke = []
    say = teller._say
    teller._say = lambda line: (spoke.append(clock.now), say(line))
    run(teller, plan(rounds=10), clock, 30, looks=[0.2 * each for each in range(150)])
    assert clock.now - 1000 == 600
    assert len(target.getvalue().splitlines()) < 200
    assert max(later - earlier for earlier, later in pairwise(spoke)) <= 61


def test_plain_lines_have_no_escape_and_no_carriage_return(plain):
    teller, target, clock = plain
    run(teller, plan(), clock, 90, looks=range(90))
    assert "\x1b" not in target.getvalue()
    assert "\r" not in target.getvalue()


def test_a_stream_without_unicode_gets_ascii(stream):
    target, clock = stream(encoding="latin-1"), Clock()
    run(progress.for_stream(target, plain=True, json=False, clock=clock), plan(), clock, 90, looks=range(90))
    assert target.getvalue().isascii()


# The live line


@pytest.fixture
def live(stream):
    clock = Clock()
    target = stream(is_terminal=True)
    return progress.for_stream(target, plain=False, json=False, clock=clock), target, clock


def drawn(target) -> list[str]:
    """Each state of the line, one after the other, without colours."""
    import re

    text = re.sub(r"\x1b\[[0-9;]*m", "", target.getvalue())
    return [part for part in re.split(r"\r\x1b\[2K|\n", text) if part]


def test_the_live_line_says_where_it_is_and_how_long_it_will_take(live):
    teller, target, _ = live
    a_plan = plan(estimated_s=160.0, rounds=2)
    teller.started(a_plan)
    teller.launch_started(a_plan.launches[0], 0, 4)
    teller.beats([beat(0, step=30), beat(1, step=28)])
    first = a_plan.launches[0].configuration
    assert drawn(target)[-1] == (
        f"[1/4] {first.strategy} cpu x{first.ranks} · round 1 · window 28/40 ━━━━━━━━━━╸──── · about 3 min left"
    )
    assert len(drawn(target)[-1]) <= 79


def test_the_line_is_drawn_no_more_than_twice_a_second(live):
    teller, target, clock = live
    run(teller, plan(rounds=1, configurations=(DDP,)), clock, 10, looks=[0.05 * each for each in range(200)])
    assert 15 <= sum("window" in line for line in drawn(target)) <= 20


def test_every_drawing_first_erases_the_one_before(live):
    teller, target, clock = live
    run(teller, plan(), clock, 10, looks=range(10))
    assert (
        target.getvalue().count("window 28/40") == target.getvalue().count("\r\x1b[2K") - 2
    )  # the first and last words


def test_the_cursor_is_never_hidden_so_nothing_has_to_bring_it_back(live):
    teller, target, clock = live
    run(teller, plan(), clock, 10, looks=range(10))
    assert "\x1b[?25l" not in target.getvalue()


def test_a_launch_that_fails_leaves_a_line_behind(live):
    teller, target, clock = live
    run(teller, plan(rounds=1, configurations=(DDP,)), clock, 5, looks=(1, 2), status="hang", reason="no step for 60 s")
    assert "[1/1] ddp cpu x2 · round 1: hang: no step for 60 s\n" in target.getvalue()


def test_the_line_never_reaches_the_terminals_last_column(live, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    teller, target, clock = live
    run(teller, plan(), clock, 10, looks=range(10))
    assert max(len(line) for line in drawn(target) if "left" in line) <= 39


@pytest.mark.parametrize("columns", [30, 40, 60, 72, 80, 120])
def test_however_narrow_the_terminal_the_time_left_is_told(live, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    teller, target, clock = live
    a_plan = plan(rounds=40)
    teller.started(a_plan)
    teller.launch_started(a_plan.launches[0], 0, 80)
    clock.now += 1
    teller.beats([beat(0, phase="evaluating", step=1130, steps=11400, epoch=100)])
    line = drawn(target)[-1]
    assert line.endswith(" left")
    assert len(line) < columns


def test_a_busy_machine_is_named_beside_the_time_left(live, plain):
    for teller, target, clock in (live, plain):
        a_plan = plan(rounds=2)
        teller.started(a_plan)
        for index, (planned, share) in enumerate(zip(a_plan.launches, (0.6, 0.05), strict=False)):
            teller.launch_started(planned, index, 4)
            clock.now += 10
            teller.launch_ended(replace(ended(planned), others_share=share))
            teller.launch_started(a_plan.launches[index + 1], index + 1, 4)
            clock.now += 1
            teller.beats([beat()])
        assert target.getvalue().count("left: the machine is busy") == 1


def test_where_others_are_not_seen_a_slower_machine_is_named(plain):
    teller, target, clock = plain
    a_plan = plan(rounds=3, configurations=(DDP,))
    teller.started(a_plan)
    for index, (planned, lasts_s) in enumerate(zip(a_plan.launches, (10, 40), strict=False)):
        teller.launch_started(planned, index, 3)
        clock.now += lasts_s
        teller.launch_ended(ended(planned))
    assert target.getvalue().count("left: slower than at first") == 1


def test_finishing_twice_says_so_once(live):
    teller, target, clock = live
    run(teller, plan(), clock, 5)
    teller.finished()
    assert target.getvalue().count("Done in") == 1


def test_the_rank_furthest_back_is_the_one_shown(live):
    teller, target, _ = live
    a_plan = plan()
    teller.started(a_plan)
    teller.launch_started(a_plan.launches[0], 0, 6)
    teller.beats([beat(0, phase="window", step=3), beat(1, phase="warm-up", step=9, steps=10)])
    assert "warm-up 9/10" in drawn(target)[-1]


@pytest.mark.parametrize(
    ("beats", "words"),
    [
        ([], "starting"),
        ([beat(phase="joining", step=0, steps=0)], "joining"),
        ([beat(phase="window", step=12, steps=0)], "window step 12"),
        ([beat(phase="something new", step=0, steps=0)], "something new"),
        ([beat(phase="window", step=50, steps=40)], "window 50/40"),
        ([replace(beat(), epoch=7)], "epoch 7 · window 28/40"),
        ([replace(beat(0), epoch=2), replace(beat(1, phase="evaluating", step=9, steps=0), epoch=1)], "epoch 1 · eval"),
    ],
)
def test_whatever_a_rank_says_the_study_goes_on(live, beats, words):
    teller, target, _ = live
    a_plan = plan()
    teller.started(a_plan)
    teller.launch_started(a_plan.launches[0], 0, 6)
    teller.beats(beats)
    assert f" · {words}" in drawn(target)[-1]


def test_two_rows_of_the_same_name_are_told_apart_by_their_cores(live):
    teller, target, clock = live
    a_plan = plan(configurations=(SINGLE, replace(SINGLE, cores_per_rank=2)))
    run(teller, a_plan, clock, 3, looks=(1,))
    assert "single cpu x1, 1 core ·" in target.getvalue()
    assert "single cpu x1, 2 cores ·" in target.getvalue()


def test_a_failed_launch_is_followed_by_the_guilty_ranks_last_lines(plain):
    teller, target, _ = plain
    teller.started(plan())
    planned = plan().launches[0]
    teller.launch_started(planned, 0, 6)
    log = "\n".join(["long ago"] * 20 + ["  File mine.py, line 8", "    ^^^^^^^", "ValueError: the data went away"])
    teller.launch_ended(replace(ended(planned, "crash", "ValueError: the data went away"), failed_rank=1), log)
    found = target.getvalue()
    assert "crash: rank 1: ValueError: the data went away" in found
    assert found.splitlines()[-1] == "    | ValueError: the data went away"
    assert found.count("    | ") == 8
    assert "^" not in found
