"""Ranks that neither end nor go on. Their peers wait in the same step, so heartbeats alone cannot say who it was."""

import time
from pathlib import Path

import pytest
from faulty_studies import fault, outcome, processes_of, rows, study

from launchers import heartbeat

pytestmark = pytest.mark.faults

STALL_S = 3
# What happens in each round, and what the row of that round says of rank 1.
ROUNDS = [
    ("stop", "rank 1 has been stopped in the window at step 17 of 40, and the others wait for it"),
    ("hang", "only rank 1 does not wait for the others"),
    ("spin", "only rank 1 does not wait for the others"),
]


def silent_s(store: Path, launch_id: str) -> float:
    """Seconds from the last sign of life of any rank of a launch until its row was committed."""
    [folder] = store.glob(f"studies/*/logs/{launch_id}")
    [marker] = store.glob(f"commits/*/{launch_id}.json")
    last_ns = max(heartbeat.read(folder, rank).monotonic_ns for rank in (0, 1))
    return marker.stat().st_mtime - (last_ns + time.time_ns() - time.monotonic_ns()) / 1e9


def test_the_culprit_is_named_and_no_victim_and_the_rest_of_the_study_is_finished(run_bench, tmp_path, store) -> None:
    faults = [fault(what, launch=f"r{number:02d}p00") for number, (what, _) in enumerate(ROUNDS)]
    words = study(tmp_path, *faults, rounds=len(ROUNDS) + 1)
    ran = run_bench(*words, "--json", BENCH_STALL=str(STALL_S), timeout_s=600)
    assert ran.returncode == 5, ran
    *hung, well = rows(store)
    assert [outcome(row) for row in hung] == [("hang", 1)] * len(ROUNDS), [row.reason for row in hung]
    assert outcome(well) == ("ok", None)
    for row, (_, reason) in zip(hung, ROUNDS, strict=True):
        assert reason in row.reason
        assert STALL_S - 1 < silent_s(store, row.launch_id) < STALL_S + 15  # limit + 5 s on a quiet machine
    assert processes_of(tmp_path) == []
