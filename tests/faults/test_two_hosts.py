"""Two hosts hammer one store, dying and standing still: nothing that was finished is lost, nothing committed twice.

A minute, or BENCH_TEST_HAMMER_S seconds.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from bench import recovery, verifying
from bench.store import attempts, index, read
from tests.faults.faulty_studies import needs_namespaces

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SECONDS = float(os.environ.get("BENCH_TEST_HAMMER_S", "60"))


@pytest.fixture(scope="module")
def hammered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_namespaces("-m", "-n", "-p", "-f", "--mount-proc")
    work = tmp_path_factory.mktemp("hammered")
    seed = int(os.environ.get("BENCH_TEST_SEED", time.time_ns() % 10**6))
    print(f"BENCH_TEST_SEED={seed}")
    program = Path(__file__).with_name("two_hosts.py")
    ran = subprocess.run(
        [sys.executable, program, work, str(SECONDS), str(seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS + 300,
    )
    assert ran.returncode == 0, ran.stderr
    assert [file.read_text() for file in work.glob("bug.*")] == []
    recovery.recover(work / "store", force=True)
    return work


@pytest.fixture(scope="module")
def announced(hammered: Path) -> list[list]:
    """What the writers said: finished or committed, launch, attempt, its length, status."""
    lines = [line for file in hammered.glob("told.*") for line in file.read_text().split("\n")]
    return [json.loads(line) for line in lines if line.endswith("]")]  # the last of one that was killed may be torn


@pytest.fixture(scope="module")
def rows(hammered: Path) -> list:
    """Every attempt with a result, superseded ones among them."""
    found = []
    for study_id in index.studies(hammered / "store"):
        files = read.Committed(
            layout=read.existing(hammered / "store"), markers=tuple(index.every_marker(hammered / "store", study_id))
        )
        found += [row for row in files.launches() if row.status == "ok"]
    return found


@pytest.fixture(scope="module")
def runs(rows: list) -> dict[str, list]:
    """The attempts with a result of each launch, and their lengths, which tell one run from all others."""
    found = defaultdict(list)
    for row in rows:
        found[row.launch_id].append((row.attempt, row.total_s))
    return found


def test_much_happened(hammered, announced, rows) -> None:
    store = hammered / "store"
    statuses = Counter(each.status for name in index.studies(store) for each in index.every_marker(store, name))
    late = [row for row in rows if any("had been given up as lost" in text for text in row.warnings)]
    killed = len(list(hammered.glob("killed.*")))
    print(f"{len(announced)} words, {dict(statuses)}, {killed} killed, {len(late)} results came late")
    assert statuses["ok"] > SECONDS / 10
    assert killed > SECONDS / 20
    assert statuses["lost"] > 0
    assert late, "nobody who was given up has come back"


def test_nothing_that_was_finished_is_lost(hammered, announced, runs) -> None:
    """Its own result, or that of somebody who ran the launch again while it stood still."""
    lost = {launch_id for _, launch_id, *_ in announced if launch_id not in runs}
    assert lost == set()


def test_what_was_committed_is_there_as_it_was_committed(announced, runs) -> None:
    committed = [
        (launch_id, attempt, total_s) for what, launch_id, attempt, total_s, _ in announced if what == "committed"
    ]
    named = {(launch_id, total_s) for what, launch_id, _, total_s, _ in announced if what == "finished"}
    for launch_id, attempt, total_s in committed:
        is_there = (attempt, total_s) in runs[launch_id]
        gave_way = (launch_id, total_s) in named and any(length != total_s for _, length in runs[launch_id])
        assert is_there or gave_way, (launch_id, attempt, total_s, runs[launch_id])


def test_no_run_is_committed_twice_and_every_launch_is_counted_once(hammered, runs) -> None:
    lengths = Counter(length for found in runs.values() for _, length in found)
    assert [length for length, count in lengths.items() if count > 1] == []
    for study_id in index.studies(hammered / "store"):
        rows = Counter(row.launch_id for row in read.launches(hammered / "store", study_id))
        assert set(rows.values()) <= {1}


def test_a_launch_has_a_second_result_only_where_the_first_was_given_up(hammered, runs) -> None:
    """Whoever was given up came back while its rival was at it: both are kept, and one of them counts for everybody."""
    store = hammered / "store"
    twice = [launch_id for launch_id, found in runs.items() if len(found) > 1]
    print(f"{len(twice)} of {len(runs)} launches have two results")
    for launch_id in twice:
        study_id = launch_id.partition(".")[0]
        every = [each for each in index.every_marker(store, study_id) if each.launch_id == launch_id]
        assert any(each.status == "lost" for each in every), launch_id
        assert index.settled(store, study_id)[launch_id].attempt == max(attempt for attempt, _ in runs[launch_id])


def test_the_store_and_what_was_pulled_of_it_are_whole(hammered) -> None:
    for store in (hammered / "store", *hammered.glob("pulled.*")):
        for study_id in index.studies(store):
            wrong = [text for text in verifying.check(store, study_id).wrong if "not complete" not in text]
            assert wrong == [], store
    assert not any(attempts.open_attempts(hammered / "store", name) for name in index.studies(hammered / "store"))
