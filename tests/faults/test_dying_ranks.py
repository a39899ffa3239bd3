"""Ranks that end before their work is done, each in its own way, in one study of real ranks inside real collectives."""

import pytest
from faulty_studies import fault, outcome, processes_of, rows, study

import bench

pytestmark = pytest.mark.faults

# What happens in each round, and what the row of that round must say. Rank 0 only ever dies of rank 1's end.
ROUNDS = [
    ("kill", "killed", "rank 1 was ended by SIGKILL in the window at step 17 of 40"),
    ("terminate", "killed", "rank 1 was ended by SIGTERM in the window at step 17 of 40"),
    ("segfault", "crash", "rank 1 crashed with SIGSEGV in the window at step 17 of 40"),
    ("abort", "crash", "rank 1 crashed with SIGABRT in the window at step 17 of 40"),
    ("exit-0", "crash", "rank 1 ended without a result in the window at step 17 of 40"),
    ("exit-7", "crash", "rank 1 ended with code 7 in the window at step 17 of 40"),
    ("raise", "crash", "RuntimeError: known-answer: raised, as asked"),
    ("oom-device", "oom_device", "known-answer: the device's memory is full, as asked"),
]
LEFT_BEHIND = ("helper", "daemon", "fork")


def test_each_is_told_for_what_it_was_and_the_rest_of_the_study_is_finished(run_bench, tmp_path, store) -> None:
    faults = [fault(what, launch=f"r{number:02d}p00") for number, (what, *_) in enumerate(ROUNDS)]
    ran = run_bench(*study(tmp_path, *faults, rounds=len(ROUNDS) + 1), "--json", timeout_s=600)
    assert ran.returncode == 5, ran  # some launches failed
    assert ran.json()["rows"][0]["launches_failed"] == len(ROUNDS)
    found = rows(store)
    assert [outcome(row) for row in found] == [(status, 1) for _, status, _ in ROUNDS] + [("ok", None)]
    for row, (*_, reason) in zip(found, ROUNDS, strict=False):
        assert row.reason.startswith(reason)
    assert [row.throughput_sps is None for row in found] == [True] * len(ROUNDS) + [False]
    assert set(bench.load(store, "steps").launch_id) == {found[-1].launch_id}
    assert processes_of(tmp_path) == []


def test_what_ranks_have_started_goes_with_them_and_holds_nobody_up(run_bench, tmp_path, store) -> None:
    """A fork keeps its half of every connection: the peers of a rank that is killed cannot see that it is gone."""
    killed = [fault(what, launch="r00p00") for what in (*LEFT_BEHIND, "kill")]
    well = [fault(what, launch="r01p00", rank=None) for what in LEFT_BEHIND]
    ran = run_bench(*study(tmp_path, *killed, *well, rounds=2), "--json")
    assert ran.returncode == 5, ran
    assert [outcome(row) for row in rows(store)] == [("killed", 1), ("ok", None)]
    assert processes_of(tmp_path) == []
