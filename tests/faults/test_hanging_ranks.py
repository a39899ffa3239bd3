"""Ranks that neither end nor go on. Their peers wait in the same step, so heartbeats alone cannot say who it was."""

import re

import pytest

from tests.faults.faulty_studies import fault, outcome, processes_of, rows, study

pytestmark = pytest.mark.faults

STALL_S = 3
# What happens in each round, and what the row of that round says of rank 1.
ROUNDS = [
    ("stop", "rank 1 has been stopped in the window at step 17 of 40, and the others wait for it"),
    ("hang", "only rank 1 does not wait for the others"),
    ("spin", "only rank 1 does not wait for the others"),
]


def test_the_culprit_is_named_and_no_victim_and_the_rest_of_the_study_is_finished(run_bench, tmp_path, store) -> None:
    faults = [fault(what, launch=f"r{number:02d}p00") for number, (what, _) in enumerate(ROUNDS)]
    words = study(tmp_path, *faults, rounds=len(ROUNDS) + 1)
    ran = run_bench(*words, "--json", BENCH_STALL=str(STALL_S), timeout_s=1800)
    assert ran.returncode == 5, ran
    *hung, well = rows(store)
    assert [outcome(row) for row in hung] == [("hang", 1)] * len(ROUNDS), [row.reason for row in hung]
    assert outcome(well) == ("ok", None)
    for row, (_, reason) in zip(hung, ROUNDS, strict=True):
        assert reason in row.reason
    # When it was found; the rest, and so the whole time, is in test_bounded_time.py.
    found_after_s = [int(re.search(r"nothing has moved for (\d+) s", row.reason)[1]) for row in hung[1:]]
    assert all(STALL_S <= each < STALL_S + 15 for each in found_after_s), found_after_s
    assert processes_of(tmp_path) == []
