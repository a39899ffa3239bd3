"""What a machine that is busy with other work may do to a study, told from what `bench` may not do.

On such a machine the steps of a short window may drift, or the wall clock may not close: the row is then INVALID, the
exit code 5, and both are right. A launch that failed, or that trained something else, is never the machine's doing.
"""

from pathlib import Path
from typing import Any

import pytest

from bench import study
from bench.analysis.result import INVALID
from bench.errors import DONE, PARTIAL
from bench.store import index, read, schema

# For what a busy machine alone may make a row INVALID.
NOISE = ("no steady state: ", "the step times miss the wall clock")


def assert_no_launch_failed(ran: Any, store: Path) -> list[schema.Launch]:
    """A command that measured came to its end, and each launch of the store's newest study gave what was planned.

    Args:
        ran: the command: `returncode`, `stdout`, `stderr`.
        store: where it keeps its results.

    Returns:
        The study's launches, in the order of the plan.
    """
    said = f"exit {ran.returncode}\n--- stdout\n{ran.stdout}\n--- stderr\n{ran.stderr}"
    if ran.returncode not in {DONE, PARTIAL}:
        pytest.fail(said)
    study_id = index.resolve(store, "@last")
    launches, found = read.launches(store, study_id), study.analyse(store, study_id)
    against = [reason for row in found.rows if _invalid(row) for reason in row.verdict.reasons]
    said = "\n".join([*(f"{each.launch_id}: {each.status} {each.reason or ''}" for each in launches), *against, said])
    planned = {each.launch_id for each in index.plan(store, study_id).launches}
    assert {each.launch_id: each.status for each in launches} == dict.fromkeys(planned, schema.OK), said
    assert all(any(noise in reason for noise in NOISE) for reason in against), said
    assert ran.returncode == (PARTIAL if against else DONE), said
    return launches


def _invalid(row: Any) -> bool:
    return row.verdict is not None and row.verdict.word == INVALID
