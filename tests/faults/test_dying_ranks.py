"""Ranks that end before their work is done, each in its own way, in one study of real ranks inside real collectives."""

import pytest

import bench
from tests.faults.faulty_studies import fault, outcome, processes_of, rows, study

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
# What a rank has started, in the round of SIGKILL and in the last one, which nothing else happens to. A fork keeps its
# half of every connection: the peers of a rank that is killed cannot see that it is gone.
LEFT_BEHIND = ("helper", "daemon", "fork")


def test_each_is_told_for_what_it_was_with_all_it_had_started_and_the_rest_of_the_study_is_finished(
    run_bench, tmp_path, store
) -> None:
    started = [fault(what, launch="r00p00") for what in LEFT_BEHIND]
    struck = [fault(what, launch=f"r{number:02d}p00") for number, (what, *_) in enumerate(ROUNDS)]
    well = [fault(what, launch=f"r{len(ROUNDS):02d}p00", rank=None) for what in LEFT_BEHIND]
    words = study(tmp_path, *started, *struck, *well, rounds=len(ROUNDS) + 1)
    ran = run_bench(*words, "--json", timeout_s=1800)
    assert ran.returncode == 5, ran  # some launches failed
    assert ran.json()["rows"][0]["launches_failed"] == len(ROUNDS), ran
    found = rows(store)
    assert [outcome(row) for row in found] == [(status, 1) for _, status, _ in ROUNDS] + [("ok", None)], ran
    for row, (*_, reason) in zip(found, ROUNDS, strict=False):
        assert row.reason.startswith(reason)
    assert [row.throughput_sps is None for row in found] == [True] * len(ROUNDS) + [False]
    assert set(bench.load(store, "steps").launch_id) == {found[-1].launch_id}
    assert processes_of(tmp_path) == []
