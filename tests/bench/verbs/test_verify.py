"""`bench verify`: a store that is what it says passes, and each thing that is not is named."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench.plan import to_json
from bench.store import parquet, schema
from bench.store.attempts import begin
from bench.store.commit import Store
from bench.store.schema import LaunchRows
from bench.verbs.verify import command

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"


@pytest.fixture
def verify(filled):
    def run(*arguments, store=filled.path):
        words = ["--store", str(store), *arguments]
        return CliRunner().invoke(command, words, catch_exceptions=False, standalone_mode=False)

    return run


def test_a_finished_study_is_right(verify):
    done = verify(OLD)
    assert done.stdout.splitlines() == [f"✓ {OLD}  4 of 4 launches, 11 files"]
    assert done.return_value == 0


def test_what_is_odd_does_not_act_on_a_terminal(verify, filled):
    (filled.path / "launches" / "\x07.parquet").write_text("")
    (filled.path / "commits" / OLD / f"{OLD}.r00p00\x07.json").write_text("")
    done = verify()
    assert done.return_value == 4
    assert "\x07" not in done.stdout


def test_a_round_that_was_not_ended_is_wrong_and_a_gate(verify):
    done = verify("--json")
    document = json.loads(done.stdout)
    assert (done.return_value, document["exit"], document["schema"]) == (4, 4, "bench.verify/1")
    old, new = document["studies"]
    assert (old["status"], new["status"]) == ("right", "wrong")
    assert new["wrong"] == ["round 1 is not complete: 1 of 2 launches"]
    assert new["notes"] == ["--resume runs 1 of 4 launches"]


def edit(file, change):
    file.write_bytes(change(file.read_bytes()))


HARMS = {
    "has 100 bytes of": lambda store: edit(store.path / f"steps/{OLD}/{OLD}.r00p00.parquet", lambda data: data[:100]),
    "hash differs": lambda store: edit(
        store.path / f"launches/{OLD}/{OLD}.r00p00.parquet", lambda data: data[:-1] + b"?"
    ),
    "is missing": lambda store: (store.path / f"dna/{OLD}/{OLD}.r00p00.parquet").unlink(),
    "cannot be read as a marker": lambda store: edit(
        store.path / f"commits/{OLD}/{OLD}.r00p00.json", lambda data: data[:40]
    ),
    "the plan of study": lambda store: edit(store.path / f"studies/{OLD}/study.json", lambda data: data[:40]),
    "its marker ok": lambda store: edit(
        store.path / f"commits/{OLD}/{OLD}.r01p01.json", lambda data: data.replace(b'"crash"', b'"ok"')
    ),
}


@pytest.mark.parametrize("found", HARMS)
def test_what_is_damaged_is_named(verify, filled, found):
    HARMS[found](filled)
    done = verify(OLD)
    assert done.return_value == 4
    assert any(line.startswith("  ! ") and found in line for line in done.stdout.splitlines()), done.stdout


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"world_size": 2}, "ranks that joined 2, planned 1"),
        ({"threads_per_rank": 2}, "threads per rank 2, planned 1"),
        ({"distinct_devices": 2}, "distinct devices 2, planned 1"),
        ({"model": "vgg"}, "model vgg, planned lenet"),
        ({"batch_per_rank": 65}, "batch per rank 65, planned 64"),
        ({"method_version": 99}, f"different methods (3 by version {schema.METHOD_VERSION}, 1 by version 99)"),
        ({"status": "fine"}, "a status that nobody knows: fine"),
    ],
)
def test_a_launch_that_is_not_as_planned_is_named(verify, filled, a_plan, a_launch, a_dna, row, found):
    launch = replace(a_launch(a_plan(NEW), 3), **row)
    assert launch.ranks == 1
    filled.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    done = verify(NEW)
    assert found in done.stdout
    assert done.return_value == 4


def test_rows_of_another_launch_are_named(verify, filled, a_plan, a_launch, a_dna, some_steps):
    launch, other = a_launch(a_plan(NEW), 3), a_launch(a_plan(NEW), 0)
    filled.commit(LaunchRows(launch=launch, steps=some_steps(other), dna=a_dna(launch)))
    assert f"holds rows of launch_id {other.launch_id}" in verify(NEW).stdout


def test_a_schema_that_is_newer_is_named(verify, filled, a_plan, a_launch, a_dna, monkeypatch):
    launch = a_launch(a_plan(NEW), 3)
    with monkeypatch.context() as patch:
        newer = parquet.arrow_schema
        patch.setattr(
            parquet,
            "arrow_schema",
            lambda table: newer(table).with_metadata(
                {"bench.table": table, "bench.schema_version": str(schema.SCHEMA_VERSION + 1)}
            ),
        )
        filled.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    assert f"has schema version {schema.SCHEMA_VERSION + 1}" in verify(NEW).stdout


def test_an_attempt_that_was_never_ended_is_wrong_and_one_that_runs_is_not(verify, filled, a_plan, monkeypatch):
    attempt = begin(filled, NEW, f"{NEW}.r01p01")
    assert f"launch {attempt.launch_id} is running" in verify(NEW).stdout
    file = filled.path / f"studies/{NEW}/attempts/{attempt.launch_id}.a0.json"
    edit(file, lambda data: data.replace(attempt.owner.process_start.encode(), b"17"))
    assert f"! launch {attempt.launch_id} was begun and never ended" in verify(NEW).stdout


def test_a_file_that_nobody_names_is_told_and_no_fault(verify, filled):
    (filled.path / f"steps/{OLD}/stray.parquet").write_bytes(b"PAR1")
    done = verify(OLD)
    assert f"    steps/{OLD}/stray.parquet: no marker names it, nobody reads it" in done.stdout.splitlines()
    assert done.return_value == 0


def test_a_store_without_a_launch_is_right(verify, tmp_path, a_plan):
    store = Store.open(tmp_path / "empty")
    done = verify(store=store.path)
    assert (done.return_value, done.stdout) == (0, "")
    assert "bench scale" in done.stderr
    store.create_study(to_json(a_plan()))
    assert verify(store=store.path).return_value == 0
