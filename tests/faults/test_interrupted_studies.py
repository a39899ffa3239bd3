"""Ctrl-C and SIGTERM, to `bench` alone and to everything in its terminal: once drains, twice ends it now."""

import os
import signal

import pytest
from faulty_studies import begin, outcome, processes_of, rows, stepping, study, wait_for

from bench.errors import INTERRUPTED, TERMINATED

pytestmark = pytest.mark.faults

TO_BENCH, TO_THE_GROUP = os.kill, os.killpg
WAYS = pytest.mark.parametrize(
    ("send", "number", "code"),
    [(TO_THE_GROUP, signal.SIGINT, INTERRUPTED), (TO_BENCH, signal.SIGTERM, TERMINATED)],
    ids=["Ctrl-C in a terminal", "SIGTERM to bench alone"],
)


@WAYS
def test_once_finishes_the_launch_that_runs_and_commits_it(tmp_path, environment, store, send, number, code) -> None:
    process = begin(study(tmp_path, rounds=2, steps=200, sleep_ms=20), environment, tmp_path)
    wait_for(lambda: stepping(store))
    send(process.pid, number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert [outcome(row) for row in rows(store)] == [("ok", None)]  # the second round was not begun
    assert processes_of(tmp_path) == []


@WAYS
def test_twice_ends_it_now_and_the_launch_is_a_row_that_says_cancelled(
    tmp_path, environment, store, run_bench, send, number, code
) -> None:
    words = study(tmp_path, steps=20_000)
    process = begin(words, environment, tmp_path)
    wait_for(lambda: stepping(store))
    send(process.pid, number)
    with pytest.raises(TimeoutError):  # it goes on with the launch
        wait_for(lambda: process.poll() is not None, timeout_s=1)
    send(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert [outcome(row) for row in rows(store)] == [("cancelled", None)]
    assert processes_of(tmp_path) == []
