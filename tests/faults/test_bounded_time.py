"""How long it takes until nothing is left, and what watching costs. Limits are generous; figures are printed (-s)."""

import os
import signal
import statistics
import time
from pathlib import Path

import psutil
import pytest

from launchers import LaunchEnd
from launchers.local import launch
from launchers.watchdog import Patience
from tests.faults.gloo_ranks import gloo_command
from tests.launchers.scripted_ranks import command_for, nobody_watches

pytestmark = pytest.mark.faults

TRIES = int(os.environ.get("BENCH_TEST_TEARDOWNS", "1"))
STALL_S = 3.0


def timed(folder: Path, statement: str) -> tuple[LaunchEnd, float]:
    """How the launch ended, and the seconds from the fault until nothing was left."""
    ending = launch(gloo_command(folder, statement, ranks=3, stall_s=STALL_S), nobody_watches)
    return ending, (time.monotonic_ns() - int((folder / "struck_ns").read_text())) / 1e9


def report_times(what: str, seconds: list[float]) -> None:
    print(
        f"{what}: {min(seconds):.2f} to {max(seconds):.2f} s, median {statistics.median(seconds):.2f} s, {len(seconds)}"
    )


def test_a_killed_rank_takes_the_launch_with_it_in_a_fraction_of_torchruns_patience(tmp_path) -> None:
    seconds = []
    for number in range(TRIES):
        ending, after_s = timed(tmp_path / str(number), "os.kill(os.getpid(), signal.SIGKILL)")
        assert (ending.status, ending.failed_rank) == ("killed", 1)
        assert ending.reason == "rank 1 was ended by SIGKILL in the window at step 50 of 200"
        seconds.append(after_s)
    report_times("from SIGKILL of a rank until nothing is left", seconds)
    assert max(seconds) < 15  # 2 s on a quiet machine; torchrun gives the others 30 s


def test_a_stopped_rank_ends_the_launch_soon_after_the_watchdogs_limit(tmp_path) -> None:
    seconds = []
    for number in range(TRIES):
        folder = tmp_path / str(number)
        ending, after_s = timed(folder, "os.kill(os.getpid(), signal.SIGSTOP)")
        assert (ending.status, ending.failed_rank) == ("hang", 1)
        assert "all_reduce" in (folder / "rank0.log").read_text()  # the stacks say who is a victim
        # Those that wait can still be told politely, if the machine lets them hear it in half a second.
        assert ending.exit_codes[1] == -signal.SIGKILL
        assert {ending.exit_codes[0], ending.exit_codes[2]} <= {128 + signal.SIGTERM, -signal.SIGKILL}
        seconds.append(after_s)
    report_times(f"from SIGSTOP of a rank until nothing is left, watchdog's limit {STALL_S:g} s", seconds)
    assert min(seconds) > STALL_S
    assert max(seconds) < STALL_S + 15  # limit + 5 s on a quiet machine


def test_watching_costs_next_to_nothing_while_ranks_step(tmp_path) -> None:
    """Asked of the supervisor's own clock of processor time, within the window of ranks that beat every millisecond."""
    body = """
heart.enter("window", 0, 10_000)
until_s = time.monotonic() + 5
step = 0
while time.monotonic() < until_s:
    time.sleep(0.001)
    step += 1
    heart.beat(step)
say("ok")
"""
    seen: list[tuple[float, float]] = []

    def watch(beats) -> None:
        if all(beat.phase == "window" and beat.step for beat in beats):
            seen.append((time.monotonic(), time.process_time()))

    ending = launch(command_for(tmp_path, body, ranks=2), watch)
    assert ending.status == "ok"
    (began_s, began_cpu_s), (ended_s, ended_cpu_s) = seen[0], seen[-1]
    share = (ended_cpu_s - began_cpu_s) / (ended_s - began_s)
    print(f"the supervisor used {share:.2%} of a core over {ended_s - began_s:.1f} s of a window, {len(seen)} looks")
    # It sleeps between two looks, and nothing but the ends of the two ranks wakes it.
    assert len(seen) <= (ended_s - began_s) / Patience().look_s + 4
    assert 0 < share < 0.05  # 1 % is the promise; a busy machine makes every look dearer
    assert psutil.Process().children() == []
