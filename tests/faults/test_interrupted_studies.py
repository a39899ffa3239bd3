"""Ctrl-C once drains, twice ends it now; so does SIGTERM, because a scheduler does not wait. Every launch has its row.

A terminal sends Ctrl-C to everything in the foreground; the ranks have sessions of their own and do not hear it.
"""

import os
import signal

import pytest
from faulty_studies import begin, outcome, processes_of, rows, stepping, study, wait_for

from bench.errors import INTERRUPTED, TERMINATED

pytestmark = pytest.mark.faults


def test_ctrl_c_finishes_the_launch_that_runs_and_begins_no_other(tmp_path, environment, store) -> None:
    process = begin(study(tmp_path, rounds=2, steps=200, sleep_ms=20), environment, tmp_path)
    wait_for(lambda: stepping(store))
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == INTERRUPTED, stderr
    assert "Traceback" not in stderr
    assert [outcome(row) for row in rows(store)] == [("ok", None)]
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    ("send", "number", "times", "code"),
    [(os.kill, signal.SIGINT, 2, INTERRUPTED), (os.killpg, signal.SIGTERM, 1, TERMINATED)],
    ids=["Ctrl-C twice, to bench alone", "SIGTERM, to its whole group"],
)
def test_what_is_ended_now_is_a_row_that_says_cancelled(
    tmp_path, environment, store, send, number, times, code
) -> None:
    process = begin(study(tmp_path, steps=20_000), environment, tmp_path)
    wait_for(lambda: stepping(store))
    for _ in range(times - 1):
        send(process.pid, number)
        with pytest.raises(TimeoutError):  # it goes on with the launch
            wait_for(lambda: process.poll() is not None, timeout_s=1)
    send(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert [outcome(row) for row in rows(store)] == [("cancelled", None)]
    assert processes_of(tmp_path) == []
