"""`bench` itself is killed in the middle of a launch: what becomes of the ranks, of the row, and of the study.

That nothing is left running is promise 4's test; here is that nothing is lost.
"""

import pytest

from tests.faults.faulty_studies import begin, outcome, processes_of, rows, stepping, study, wait_for
from tests.noise import assert_no_launch_failed

pytestmark = pytest.mark.faults


def test_the_next_start_closes_it_as_lost_and_resume_goes_on(tmp_path, environment, store, run_bench) -> None:
    words = study(tmp_path, rounds=2, steps=400, sleep_ms=5)
    process = begin(words, environment, tmp_path)
    wait_for(lambda: stepping(store, "r01p00"))
    process.kill()
    process.communicate()
    wait_for(lambda: processes_of(tmp_path) == [], timeout_s=10)
    assert [outcome(row) for row in rows(store)] == [("ok", None)]

    recovered = run_bench("recover", "--store", store)
    assert recovered.returncode == 0, recovered
    assert [outcome(row) for row in rows(store)] == [("ok", None), ("lost", None)]
    launches = assert_no_launch_failed(run_bench(*words, "--resume"), store)
    assert [launch.attempt for launch in launches] == [0, 1]  # the lost one was attempt 0, and is kept
