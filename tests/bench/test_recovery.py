"""What a death leaves is given its one ending: finished where it can be, lost where it cannot, never guessed."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench import recovery
from bench.errors import CannotError
from bench.plan import to_json
from bench.store import attempts, fsops, index, read
from bench.store.attempts import begin
from bench.store.commit import Store
from bench.store.layout import Layout
from bench.store.owner import Owner
from bench.store.schema import LaunchRows


@pytest.fixture
def plan(a_plan):
    return a_plan()


@pytest.fixture
def store(tmp_path, plan):
    store = Store.open(tmp_path / "results")
    store.create_study(to_json(plan))
    return store


@pytest.fixture
def left(store, plan, a_launch, a_dna, monkeypatch):
    """Begin a launch as a process that died; its row was kept when `status` says how it ended."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()

    def leave(place=0, status=None, owner=None, **row):
        launch = a_launch(plan, place, **row)
        with monkeypatch.context() as patch:
            dead = owner or replace(Owner.of_this_process(), pid=ended.pid)
            patch.setattr(Owner, "of_this_process", lambda: dead)
            attempt = begin(store, plan.study_id, launch.launch_id)
        launch = replace(launch, attempt=attempt.attempt, status=status or "ok")
        folder = Layout(store.path).folder(plan.study_id, launch.launch_id, attempt.attempt)
        folder.mkdir(parents=True)
        recovery.reserve(folder)
        if status is not None:
            recovery.keep(folder, LaunchRows(launch=launch, dna=a_dna(launch)))
        return launch, folder

    return leave


def test_a_launch_that_had_ended_is_saved_as_it_ended(store, left, plan, a_dna):
    launch, folder = left(
        status="crash", reason="rank 1 died: exit code 1", warnings=("load 1.3",), loss_last=float("nan")
    )
    found = recovery.recover(store.path)
    assert [each.status for each in found.finished] == ["crash"]
    assert found.lost == []
    (row,) = read.launches(store.path, plan.study_id)
    assert replace(row, loss_last=None) == replace(launch, loss_last=None)
    assert read.committed(store.path, plan.study_id).dna() == [a_dna(launch)]
    assert (folder / recovery.OUTCOME).exists(), "no launch's file is removed"


def test_a_launch_of_which_nothing_is_known_is_lost_and_says_since_when(store, left, plan):
    launch, _ = left()
    found = recovery.recover(store.path)
    assert [each.launch_id for each in found.lost] == [launch.launch_id]
    (row,) = read.launches(store.path, plan.study_id)
    assert row.status == "lost"
    assert attempts.attempts(store.path, plan.study_id)[0].started_at in row.reason
    assert "not known" in row.reason
    assert (row.total_s, row.load_before, row.throughput_sps, row.hw_id) == (None, None, None, None)
    assert json.loads(row.unavailable)["throughput_sps"] == "the launch ended as lost"
    assert (row.configuration, row.round, row.position) == (launch.configuration, launch.round, launch.position)
    again = recovery.recover(store.path)
    assert (again.finished, again.lost) == ([], [])


def test_a_good_row_without_its_steps_is_lost_and_not_half_saved(store, left, plan):
    left(status="ok")
    (lost,) = recovery.recover(store.path).lost
    assert "what its ranks left" in lost.reason
    assert read.launches(store.path, plan.study_id)[0].throughput_sps is None


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[: len(data) // 2] + bytes(len(data)),
        lambda data: bytes(len(data)),
        lambda data: data.replace(b"r00p00", b"r00p01"),
    ],
    ids=["torn", "torn with zeros behind", "zeros", "of another launch"],
)
def test_an_outcome_that_is_not_whole_is_no_outcome(store, left, harm):
    _, folder = left(status="crash")
    file = folder / recovery.OUTCOME
    file.write_bytes(harm(file.read_bytes()))
    assert len(recovery.recover(store.path).lost) == 1


def test_an_outcome_with_the_reserved_zeros_still_behind_it_is_whole(store, left):
    _, folder = left(status="crash")
    with (folder / recovery.OUTCOME).open("ab") as file:
        file.write(bytes(5000))
    assert len(recovery.recover(store.path).finished) == 1


def test_the_outcome_is_written_into_room_that_was_taken_before(store, left, monkeypatch):
    """On a disk that is full by then: every call that takes room fails."""
    launch, folder = left()
    assert (folder / recovery.OUTCOME).stat().st_size == 128 * 1024
    assert (folder / recovery.OUTCOME).stat().st_blocks * 512 >= 128 * 1024
    monkeypatch.setenv("BENCH_DISK_FULL_AT", "1")
    recovery.keep(folder, LaunchRows(launch=replace(launch, status="crash")))
    with pytest.raises(CannotError, match="No space left"):
        store.commit(LaunchRows(launch=replace(launch, status="crash")))
    with pytest.raises(CannotError, match="No space left"):
        recovery.reserve(folder)
    monkeypatch.delenv("BENCH_DISK_FULL_AT")
    assert [each.status for each in recovery.recover(store.path).finished] == ["crash"]


def test_what_runs_is_left_alone_and_told(store, left, plan):
    alive = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        from bench.store import owner

        token = "e" * 32
        left(
            owner=replace(
                Owner.of_this_process(), token=token, pid=alive.pid, process_start=owner._process_start(alive.pid),
                boot=owner._keyed(token, owner._boot()),
            )
        )  # fmt: skip
        found = recovery.recover(store.path, force=True)
        assert [each.owner.pid for each in found.running] == [alive.pid]
        assert read.launches(store.path, plan.study_id) == []
    finally:
        alive.communicate()
    assert len(recovery.recover(store.path).lost) == 1


def test_what_was_begun_on_another_machine_is_closed_by_force_alone(store, left):
    left(owner=replace(Owner.of_this_process(), token="0" * 32, boot="b", host="h"))
    found = recovery.recover(store.path)
    assert (len(found.unknown), found.lost) == (1, [])
    assert len(recovery.recover(store.path, force=True).lost) == 1


def test_what_cannot_be_closed_is_told_and_keeps_no_other_from_it(store, left, plan):
    left(place=1)
    stranger = begin(store, plan.study_id, f"{plan.study_id}.r77p00")
    found = recovery.close_stale(store, plan.study_id)
    assert [each.launch_id for each in found.lost] == [plan.launches[1].launch_id]
    assert found.unclosed == [f"launch {stranger.launch_id} is not in its study's plan"]


def test_old_leavings_are_removed_and_young_ones_are_not(store, left, plan):
    staging = store.path / "staging"
    old, young = staging / "old.parquet.00", staging / "young.parquet.00"
    launch, _ = left()
    other = plan.launches[2].launch_id
    markers = store.path / "commits" / plan.study_id
    markers.mkdir(parents=True)
    claims = [markers / f"{launch.launch_id}.json", markers / f"{other}.json"]
    for file in (old, young, *claims):
        file.touch()
    past_s = time.time() - 2 * 3600
    for file in (old, *claims):
        os.utime(file, (past_s, past_s))
    found = recovery.recover(store.path)
    claimed = f"commits/{plan.study_id}/{launch.launch_id}.json"
    assert sorted(found.removed) == [claimed, "staging/old.parquet.00"]
    assert young.exists()
    assert claims[1].exists(), "of a launch that nobody is known to have begun"
    assert [each.launch_id for each in found.lost] == [launch.launch_id]


def test_a_claim_of_a_minute_ago_may_still_be_filled(store, left, plan, monkeypatch):
    launch, _ = left()
    claim = store.path / "commits" / plan.study_id / f"{launch.launch_id}.json"
    claim.parent.mkdir(parents=True)
    claim.touch()
    found = recovery.recover(store.path)
    assert claim.exists()
    assert (found.lost, len(found.unclosed)) == ([], 1)
    assert "being saved by another process" in found.unclosed[0]


def test_room_is_taken_by_writing_where_it_cannot_be_asked_for(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    fsops.reserve(tmp_path / "file", 5000)
    assert Path(tmp_path / "file").read_bytes() == bytes(5000)


def test_a_study_that_is_named_leaves_the_others_alone(filled, a_plan):
    old, new = index.studies(filled.path)[::-1]
    for study_id, launch_id in ((old, "r00p00"), (new, "r01p01")):
        if study_id == new:
            begin(filled, study_id, f"{study_id}.{launch_id}")
    assert recovery.recover(filled.path, old).lost == []
    assert len(recovery.recover(filled.path, new).lost) == 1
