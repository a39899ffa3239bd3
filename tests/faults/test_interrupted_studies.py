"""Ctrl-C once drains, SIGTERM ends it now, because a scheduler does not wait. Every launch has its row.

A terminal sends Ctrl-C to everything in the foreground; the ranks have sessions of their own and do not hear it.
Ctrl-C twice is in tests/end_to_end/test_interruption.py.
"""

import os
import signal

import pytest

from bench.errors import INTERRUPTED, TERMINATED
from tests.faults.faulty_studies import begin, outcome, processes_of, rows, stepping, study, wait_for
from tests.noise import assert_no_launch_failed

pytestmark = pytest.mark.faults


def test_ctrl_c_finishes_the_launch_that_runs_and_begins_no_other_and_resume_goes_on(
    tmp_path, environment, store, run_bench
) -> None:
    words = study(tmp_path, rounds=2, steps=200, sleep_ms=20)
    process = begin(words, environment, tmp_path)
    wait_for(lambda: stepping(store))
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == INTERRUPTED, stderr
    assert "Traceback" not in stderr
    assert "Ctrl-C again ends it now" in stderr
    assert "1 of 2 launches not run: --resume runs them" in " ".join(stdout.split())  # however its lines are broken
    assert [outcome(row) for row in rows(store)] == [("ok", None)]
    assert processes_of(tmp_path) == []

    [first, _] = assert_no_launch_failed(run_bench(*words, "--resume"), store)
    assert first.attempt == 0  # and was not run again


def test_sigterm_ends_the_launch_now_and_its_row_says_cancelled(tmp_path, environment, store) -> None:
    process = begin(study(tmp_path, steps=20_000), environment, tmp_path)
    wait_for(lambda: stepping(store))
    os.killpg(process.pid, signal.SIGTERM)  # as a scheduler does: to the whole group
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == TERMINATED, stderr
    assert "Traceback" not in stderr
    assert [outcome(row) for row in rows(store)] == [("cancelled", None)]
    assert processes_of(tmp_path) == []
