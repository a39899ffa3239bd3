"""A launch is committed whole or not at all, once, and never changed."""

import errno
import hashlib
import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import CannotError
from bench.plan import to_json
from bench.store import fsops, index, read, schema
from bench.store.commit import AlreadyCommittedError, Store
from bench.store.layout import NoStoreError
from bench.store.schema import LaunchRows


@pytest.fixture
def store(tmp_path, a_plan):
    store = Store.open(tmp_path / "results")
    store.create_study(to_json(a_plan()))
    return store


def test_what_is_committed_is_read_back_exactly(store, a_plan, a_launch, a_dna, some_steps):
    plan = a_plan()
    launch = a_launch(plan, 0, warnings=("load 1.3 before the start",), device_names=("A CPU",), loss_last=float("inf"))
    ids = {"study_id": launch.study_id, "launch_id": launch.launch_id}
    epoch = schema.Epoch(
        **ids, epoch=0, train_s=1.5, evaluate_s=0.2, samples=1500, learning_rate=0.05, train_loss=1.1, train_top1=0.7,
        validation_loss=0.9, top1=0.8, validation_samples=297,
    )  # fmt: skip
    score = schema.ClassScore(**ids, epoch=0, label=1, name="one", support=0, precision=0.5, confusion=(3, 2))
    store.commit(
        LaunchRows(launch=launch, steps=some_steps(launch), epochs=[epoch], classes=[score], dna=a_dna(launch))
    )

    assert index.plan(store.path, plan.study_id) == plan
    assert read.launches(store.path, plan.study_id) == [launch]
    assert read.committed(store.path, plan.study_id).epochs() == [epoch]
    assert read.committed(store.path, plan.study_id).classes() == [score]
    assert read.committed(store.path, plan.study_id).dna() == [a_dna(launch)]
    columns = dict(read.committed(store.path, plan.study_id).steps())[launch.launch_id]
    assert columns["step_ns"].tolist() == [1_000_003] * 5
    assert columns["phase"].tolist() == ["warmup"] * 2 + ["window"] * 3
    assert {name: array.dtype.kind for name, array in columns.items()} == {
        name: "O" if name in {"study_id", "launch_id", "phase"} else "i" for name in columns
    }


def test_a_missing_value_is_null_with_its_reason_and_never_a_number(filled):
    """T17: neither 0 nor -1 nor another launch's value stands for what was not measured."""
    frame = read.load(filled.path, "launches")
    failed = frame[frame["status"] == "crash"].iloc[0]
    for name in ("throughput_sps", "window_ns", "energy_j", "world_size", "weights_equal", "num_id"):
        assert pd.isna(failed[name]), name
    assert json.loads(failed["unavailable"])["throughput_sps"] == "the launch ended as crash"
    file = pq.read_table(filled.path / "launches" / failed["study_id"] / f"{failed['launch_id']}.parquet")
    assert [file.column(name).null_count for name in ("throughput_sps", "window_ns", "energy_j")] == [1, 1, 1]


def test_a_second_commit_of_a_launch_is_refused_and_the_first_is_kept(store, a_plan, a_launch, a_dna):
    first = a_launch(a_plan(), 0, throughput_sps=100.0)
    store.commit(LaunchRows(launch=first, dna=a_dna(first)))
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    with pytest.raises(AlreadyCommittedError, match=first.launch_id):
        store.commit(LaunchRows(launch=replace(first, throughput_sps=200.0), dna=a_dna(first)))
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == before


@pytest.fixture
def no_hard_links(monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_of_two_writers_at_once_exactly_one_commits(
    store, a_plan, a_launch, a_dna, some_steps, monkeypatch, request, links
):
    """Both have looked and found no marker before either writes it: the marker's own name decides."""
    if not links:
        request.getfixturevalue("no_hard_links")
    plan = a_plan()
    rates = (100.0, 200.0)
    launches = [a_launch(plan, 0, throughput_sps=rate) for rate in rates]
    meet = threading.Barrier(2, timeout=30)
    publish = fsops.publish

    def publish_together(staged, final):
        if final.parent.parent.name == "commits":
            meet.wait()
        return publish(staged, final)

    monkeypatch.setattr(fsops, "publish", publish_together)
    outcomes = {}

    def write(launch):
        try:
            store.commit(LaunchRows(launch=launch, steps=some_steps(launch), dna=a_dna(launch)))
            outcomes[launch.throughput_sps] = "committed"
        except (
            CannotError
        ):  # AlreadyCommittedError, or without links: the other has claimed the name and not yet written
            outcomes[launch.throughput_sps] = "refused"

    threads = [threading.Thread(target=write, args=(launch,)) for launch in launches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(outcomes.values()) == ["committed", "refused"]
    damaged = []
    (kept,) = read.launches(store.path, plan.study_id, damaged)
    assert outcomes[kept.throughput_sps] == "committed"
    assert damaged == []


def test_an_attempt_that_died_before_its_marker_does_not_block_the_next(store, a_plan, a_launch, a_dna, monkeypatch):
    launch = a_launch(a_plan(), 0)
    publish = fsops.publish

    def die_at_the_marker(staged, final):
        if final.suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return publish(staged, final)

    monkeypatch.setattr(fsops, "publish", die_at_the_marker)
    with pytest.raises(CannotError, match="No space left") as error:
        store.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    assert not isinstance(error.value, AlreadyCommittedError)
    assert read.launches(store.path, launch.study_id) == []

    monkeypatch.setattr(fsops, "publish", publish)
    store.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    assert read.launches(store.path, launch.study_id) == [launch]


def test_the_marker_names_every_file_with_its_size_and_hash_and_nothing_is_left_in_staging(filled):
    named = set()
    for study_id in index.studies(filled.path):
        for marker in index.markers(filled.path, study_id):
            for file in marker.files:
                data = (filled.path / file.path).read_bytes()
                assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
                named.add(filled.path / file.path)
    assert named == set(filled.path.rglob("*.parquet"))
    assert list((filled.path / "staging").iterdir()) == []


def test_the_marker_comes_when_every_file_it_names_is_there(store, a_plan, a_launch, a_dna, some_steps, monkeypatch):
    publish = fsops.publish
    there = []

    def look_first(staged, final):
        if final.suffix == ".json":
            for file in index.Marker.from_bytes(staged.read_bytes()).files:
                data = (store.path / file.path).read_bytes()
                there.append((file.table, hashlib.sha256(data).hexdigest() == file.sha256))
        return publish(staged, final)

    monkeypatch.setattr(fsops, "publish", look_first)
    launch = a_launch(a_plan(), 0)
    store.commit(LaunchRows(launch=launch, steps=some_steps(launch), dna=a_dna(launch)))
    assert there == [("launches", True), ("steps", True), ("dna", True)]


def test_every_file_is_synced_before_it_gets_its_name_and_its_folder_after(store, a_plan, a_launch, a_dna, monkeypatch):
    """Without that order a power cut can leave a marker that names what the disk never got."""
    calls = []
    sync, link = fsops._sync, Path.hardlink_to

    def note_sync(handle):
        calls.append("file" if stat.S_ISREG(os.fstat(handle).st_mode) else "folder")
        sync(handle)

    def note_link(self, target):
        calls.append("link")
        link(self, target)

    first, second = (a_launch(a_plan(), place) for place in (0, 1))
    store.commit(LaunchRows(launch=first, dna=a_dna(first)))  # makes the folders
    monkeypatch.setattr(fsops, "_sync", note_sync)
    monkeypatch.setattr(Path, "hardlink_to", note_link)
    store.commit(LaunchRows(launch=second, dna=a_dna(second)))
    assert calls == ["file", "link", "folder"] * 3  # launches, dna, marker


def test_a_store_works_where_there_are_no_hard_links(tmp_path, a_plan, a_launch, a_dna, no_hard_links):
    store = Store.open(tmp_path / "fat")
    store.create_study(to_json(a_plan()))
    launch = a_launch(a_plan(), 0)
    store.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    assert read.launches(store.path, launch.study_id) == [launch]
    assert list((store.path / "staging").iterdir()) == []


def test_a_name_claimed_where_there_are_no_links_is_no_commit(store, a_plan, a_launch, a_dna):
    """What a crash between the claim and the rename leaves: an empty marker."""
    launch = a_launch(a_plan(), 0)
    marker = store.path / "commits" / launch.study_id / f"{launch.launch_id}.json"
    marker.parent.mkdir(parents=True)
    marker.touch()
    damaged = []
    assert read.launches(store.path, launch.study_id, damaged) == []
    assert [each.launch_id for each in damaged] == [launch.launch_id]
    with pytest.raises(CannotError, match="one died") as error:
        store.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    assert "bench recover" in error.value.hint
    assert not isinstance(error.value, AlreadyCommittedError)


def test_a_link_whose_answer_was_lost_on_the_network_is_ours(tmp_path, monkeypatch):
    link = Path.hardlink_to

    def answer_lost(self, target):
        link(self, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    staged, final = tmp_path / "staged", tmp_path / "final"
    fsops.write_new(staged, b"content")
    monkeypatch.setattr(Path, "hardlink_to", answer_lost)
    assert fsops.publish(staged, final)
    assert final.read_bytes() == b"content"


def test_a_table_with_a_null_where_there_must_be_a_number_is_not_committed(store, a_plan, a_launch, a_dna, some_steps):
    launch = a_launch(a_plan(), 0)
    steps = some_steps(launch)
    place = steps.schema.get_field_index("step_ns")
    holed = steps.set_column(place, pa.field("step_ns", pa.int64()), pa.nulls(steps.num_rows, pa.int64()))
    with pytest.raises((pa.ArrowException, ValueError)):
        store.commit(LaunchRows(launch=launch, steps=holed, dna=a_dna(launch)))
    assert index.markers(store.path, launch.study_id) == []


def test_a_study_is_created_once(store, a_plan):
    with pytest.raises(CannotError, match="already") as error:
        store.create_study(to_json(a_plan(margin=0.5)))
    assert "--resume" in error.value.hint
    assert index.plan(store.path, a_plan().study_id).margin == a_plan().margin


@pytest.mark.parametrize("identity", ["", "../elsewhere", "a/b", ".hidden", "a b", "x" * 300])
def test_an_id_that_is_no_file_name_is_refused(store, a_plan, identity):
    with pytest.raises(ValueError, match="cannot be an id"):
        store.create_study(to_json(a_plan()) | {"study_id": identity})


def test_a_store_that_cannot_be_written_is_refused_before_anything_is_trained(tmp_path):
    file = tmp_path / "a-file"
    file.write_text("not a folder")
    for path in (file, file / "results"):
        with pytest.raises(CannotError) as error:
            Store.open(path)
        assert error.value.code == 3
        assert str(path) in error.value.message
        assert "Not a directory" in error.value.message
        assert "--store" in error.value.hint


def test_a_read_only_store_is_refused_whoever_asks(tmp_path, monkeypatch):
    """Permissions do not bind root, so the file system's answer is given in its place."""
    Store.open(tmp_path / "results")

    def read_only(path, data):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(fsops, "write_new", read_only)
    with pytest.raises(CannotError, match="Read-only file system"):
        Store.open(tmp_path / "results")


def test_a_store_without_room_for_the_study_is_refused(tmp_path):
    with pytest.raises(CannotError, match="MB of room"):
        Store.open(tmp_path / "results", needs_bytes=2**62)
    Store.open(tmp_path / "results", needs_bytes=1)


def test_a_store_of_a_newer_layout_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "results"
    path.mkdir()
    (path / "FORMAT").write_text('{"layout": 2}')
    with pytest.raises(CannotError, match="layout 2"):
        Store.open(path)
    assert [each.name for each in path.iterdir()] == ["FORMAT"]


def test_a_torn_format_file_is_an_error_a_user_can_act_on(tmp_path):
    path = tmp_path / "results"
    path.mkdir()
    (path / "FORMAT").write_text('{"lay')
    with pytest.raises(CannotError, match="FORMAT"):
        Store.open(path)


def test_opening_a_store_that_is_not_there_says_where_one_is(tmp_path):
    Store.open(tmp_path / "bench-results")
    with pytest.raises(NoStoreError, match="no store") as error:
        Store.open(tmp_path, create=False)
    assert str(tmp_path / "bench-results") in error.value.hint
    assert not (tmp_path / "FORMAT").exists()
