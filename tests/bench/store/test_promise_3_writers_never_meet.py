"""P3: concurrent writers never lose or alter each other's rows, and a torn file costs its own launch only."""

import json
import os
import pickle
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import bench
from bench import recovery, verifying
from bench.plan import in_rounds, to_json
from bench.store import attempts, index, read
from bench.store.commit import Store
from bench.verbs import ls, show

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"


@pytest.mark.parametrize(
    ("writers", "kills", "rounds"),
    [
        pytest.param(2, 1, 4, id="2 writers"),
        pytest.param(16, 30, 50, id="16 writers", marks=[pytest.mark.faults, pytest.mark.slow]),
    ],
)
def test_every_acknowledged_row_is_there_unaltered_whoever_is_killed(
    tmp_path, a_plan, a_launch, a_dna, writers, kills, rounds
):
    seed = int(os.environ.get("BENCH_TEST_SEED", time.time_ns() % 10**6))
    print(f"BENCH_TEST_SEED={seed}")
    rng = random.Random(seed)
    store = Store.open(tmp_path / "results")
    plans, launches = [], {}
    studies = ("one", "two")
    for study_id in studies:
        row = a_plan().baseline
        plan = a_plan(study_id, launches=in_rounds(study_id, (row,), rounds=rounds, order_seed=7), rounds=rounds)
        store.create_study(to_json(plan))
        plans.append(plan)
        for place, each in enumerate(plan.launches):
            launches[each.launch_id] = a_launch(plan, place, window_ns=1_000_000 + len(launches))
    dna = {launch_id: a_dna(launch) for launch_id, launch in launches.items()}
    (tmp_path / "study.pickle").write_bytes(pickle.dumps((plans, launches, dna)))

    def start(number):
        program = Path(__file__).with_name("rival_writers.py")
        with (tmp_path / f"told.{number}").open("w") as given, (tmp_path / f"errors.{number}").open("w") as errors:
            return subprocess.Popen(
                [sys.executable, program, tmp_path, str(seed + number)], stdout=given, stderr=errors
            )

    started = [start(number) for number in range(writers)]
    killed = set()
    try:
        while len(killed) < kills and sum(len(index.markers(store.path, name, [])) for name in studies) < len(launches):
            time.sleep(rng.uniform(0.001, 0.01))
            at_work = [  # not one that still imports
                number
                for number, process in enumerate(started)
                if number not in killed and process.poll() is None and (tmp_path / f"told.{number}").stat().st_size
            ]
            if at_work:
                victim = rng.choice(at_work)
                started[victim].kill()
                killed.add(victim)
                started.append(start(len(started)))
        for number, process in enumerate(started):
            process.wait(timeout=300)
            error = (tmp_path / f"errors.{number}").read_text()
            assert number in killed or process.returncode == 0, error
    finally:
        for process in started:
            process.kill()
            process.wait()

    assert killed, "it was over before anybody was killed"
    acknowledged = [
        line.split()
        for number in range(len(started))
        for line in (tmp_path / f"told.{number}").read_text().splitlines()
    ]
    assert len(acknowledged) == len({launch_id for launch_id, _ in acknowledged}), "nobody's launch was run twice"
    damaged = []
    found = {row.launch_id: row for plan in plans for row in read.launches(store.path, plan.study_id, damaged)}
    assert damaged == []
    assert set(found) == set(launches)
    for launch_id, row in found.items():
        assert row == replace(launches[launch_id], attempt=row.attempt)
    for launch_id, attempt in acknowledged:
        assert found[launch_id].attempt == int(attempt)
    lost = [marker for name in studies for marker in index.every_marker(store.path, name) if marker.status == "lost"]
    print(f"{len(killed)} of {len(started)} writers killed, {len(lost)} attempts lost")
    recovery.recover(store.path)
    assert [each for plan in plans for each in verifying.check(store.path, plan.study_id).wrong] == []


TORN = [
    (what, harm) for what in ("launches", "steps", "marker", "attempt") for harm in ("torn", "one bit", "gone", "empty")
]
QUICK = {("launches", "torn"), ("steps", "one bit"), ("marker", "torn"), ("attempt", "one bit")}


@pytest.mark.parametrize(
    ("what", "harm"), [pytest.param(*each, marks=[] if each in QUICK else pytest.mark.faults) for each in TORN]
)
def test_a_torn_file_spoils_nobody_elses_rows(filled, what, harm, cli):
    victim = f"{OLD}.r00p01"
    attempts.begin(filled, NEW, f"{NEW}.r01p01")
    file = {
        "launches": filled.path / "launches" / OLD / f"{victim}.parquet",
        "steps": filled.path / "steps" / OLD / f"{victim}.parquet",
        "marker": filled.path / "commits" / OLD / f"{victim}.json",
        "attempt": filled.path / "studies" / NEW / "attempts" / f"{NEW}.r01p01.a0.json",
    }[what]
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x80
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes({"torn": whole[: len(whole) // 2], "one bit": bytes(flipped), "empty": b""}[harm])

    missing = {victim} if what in {"launches", "marker"} else set()
    damaged = []
    everyone = {f"{study_id}.r0{number}p0{place}" for study_id in (OLD, NEW) for number in (0, 1) for place in (0, 1)}
    everyone -= {f"{NEW}.r01p01"}
    rows = {row.launch_id for study_id in (OLD, NEW) for row in read.launches(filled.path, study_id, damaged)}
    assert rows == everyone - missing
    timed = {
        name for study_id in (OLD, NEW) for name in dict(read.committed(filled.path, study_id, damaged).steps(damaged))
    }
    assert everyone - {f"{OLD}.r01p01"} - timed == ({victim} if what in {"steps", "marker"} else set())
    if what in {"launches", "steps"} or (what == "marker" and harm != "gone"):
        assert {each.launch_id for each in damaged} == {victim}
    ran = cli(ls.command, "--store", str(filled.path), "--json")
    assert {line["study"] for line in json.loads(ran)["studies"]} == {OLD, NEW}
    assert {line["launches_done"] for line in json.loads(ran)["studies"]} <= {3, 4}
    cli(show.command, OLD, NEW, f"{OLD}.r00p00", "--store", str(filled.path), "--json")
    if damaged:
        with pytest.warns(index.DamageWarning, match=victim):
            frames = [bench.load(filled.path, table) for table in ("launches", "steps")]
        assert [set(frame["launch_id"]) for frame in frames] == [rows, timed]
    if what == "attempt" and harm != "gone":
        (torn,) = attempts.open_attempts(filled.path, NEW)
        assert torn.owner.alive() is None, "of whom nothing is known, nobody says that he is dead"
    wrong = [text for study_id in (OLD, NEW) for text in verifying.check(filled.path, study_id).wrong]
    if what != "attempt" and (what, harm) != ("marker", "gone"):
        assert any(victim in text for text in wrong)


@pytest.fixture
def cli():
    """Run a verb here and return what it prints."""
    from click.testing import CliRunner

    def run(command, *words):
        done = CliRunner().invoke(command, words, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    return run
