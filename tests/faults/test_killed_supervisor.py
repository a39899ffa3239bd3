"""`bench` itself is killed in the middle of a launch: what becomes of the ranks, of the row, and of the study.

That nothing is left running is promise 4's test; here is that nothing is lost.
"""

import pytest
from faulty_studies import begin, outcome, planned, processes_of, rows, stepping, study, wait_for

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
    resumed = run_bench(*words, "--resume")
    assert resumed.returncode == 0, resumed
    assert [outcome(row) for row in rows(store)] == [("ok", None), ("ok", None)]
    assert [row.launch_id for row in rows(store)] == planned(store)
    assert rows(store)[1].attempt == 1  # the lost one was attempt 0, and is kept
