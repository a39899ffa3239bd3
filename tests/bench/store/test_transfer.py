"""Stores are copied whole, markers last, and nothing that is there is changed."""

import errno
import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from bench.analysis.report import of_study
from bench.errors import CannotError, UsageError
from bench.store import fsops, index, place, read
from bench.store.commit import Store
from bench.store.layout import NoStoreError
from bench.store.place import Place
from bench.store.schema import LaunchRows
from bench.store.transfer import transfer
from bench.study import analyse
from reports import build

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"
REMOTE = "memory://lab/results"


@pytest.fixture(autouse=True)
def nothing_in_memory(monkeypatch):
    monkeypatch.setattr(fsops, "_sync", lambda _: None)  # nothing here outlives the process
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])


@pytest.fixture(params=["folder", "memory"])
def target(request, tmp_path):
    """Where to: a folder of this machine, or somewhere that only fsspec reaches."""
    return Place.at(str(tmp_path / "copy") if request.param == "folder" else REMOTE)


@pytest.fixture
def source(filled):
    return Place.at(str(filled.path))


def contents(where):
    """Every file of a place."""
    return {path: where.read(path) for path in where.sizes()}


def seen(where):
    """The launches that a reader finds there, each proven whole."""
    found = {}
    for path in where.sizes():
        if not path.startswith("commits/"):
            continue
        try:
            marker = index.Marker.from_bytes(where.read(path))
        except ValueError:
            continue  # a reader takes it for damage
        for file in marker.files:
            data = where.read(file.path)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file.bytes, file.sha256), path
        found[path] = marker
    return found


def an_attempt(store, launch, note, **changes):
    """Another attempt of a launch in a store, with the note that began it."""
    again = replace(launch, **changes)
    folder = store.path / "studies" / launch.study_id / "attempts"
    folder.mkdir(exist_ok=True)
    (folder / f"{launch.launch_id}.a{again.attempt}.json").write_text(json.dumps({"note": note}))
    store.commit(LaunchRows(launch=again))


def test_a_copy_has_every_file_and_the_same_content(source, target):
    transferred = transfer(source, target)
    assert contents(target) == contents(source)
    assert (transferred.studies, transferred.launches, transferred.files, transferred.present, transferred.refused) == (
        (OLD, NEW),
        7,
        2 + 20 + 7,
        0,
        (),
    )
    assert transferred.bytes == sum(len(data) for path, data in contents(source).items() if path != "FORMAT")


def test_doing_it_again_copies_nothing_and_writes_nothing(source, target, monkeypatch):
    transfer(source, target)
    monkeypatch.setattr(Place, "create", lambda *_: pytest.fail("something was written"))
    transferred = transfer(source, target)
    assert (transferred.files, transferred.bytes, transferred.launches, transferred.present) == (0, 0, 0, 29)


def test_what_came_from_elsewhere_is_read_and_reported_like_the_original(source, tmp_path):
    transfer(source, Place.at(REMOTE))
    transfer(Place.at(REMOTE), Place.at(str(tmp_path / "back")))
    assert index.studies(tmp_path / "back") == [NEW, OLD]
    damaged = []
    assert read.launches(tmp_path / "back", OLD, damaged) == read.launches(source.folder, OLD)
    assert damaged == []
    reports = {}
    for name, store in (("original", source.folder), ("copy", tmp_path / "back")):
        written = build.write(of_study(analyse(store, OLD)), ["md", "csv"], tmp_path / name)
        reports[name] = {file.name: file.read_bytes() for file in written}
    assert reports["copy"] == reports["original"]
    assert len(reports["original"]) >= 2


def test_chosen_studies_alone_are_copied_and_names_mean_the_same_on_both_sides(source, tmp_path):
    there = Place.at(REMOTE)
    assert transfer(source, there, ["261123"]).studies == (NEW,)
    assert {path.split("/")[1] for path in there.sizes() if path != "FORMAT"} == {NEW}
    transfer(source, there)
    back = Place.at(str(tmp_path / "back"))
    assert transfer(there, back, ["@last"]).studies == (NEW,)
    assert transfer(there, back, ["@-2", OLD]).studies == (OLD,)
    with pytest.raises(UsageError, match=r"@-3 is not there: the store memory://lab/results has 2 studies"):
        transfer(there, back, ["@-3"])
    with pytest.raises(UsageError, match="no study 'vgg'"):
        transfer(there, back, ["vgg"])


def test_nothing_is_made_there_when_the_names_are_wrong(source, tmp_path):
    with pytest.raises(UsageError):
        transfer(source, Place.at(str(tmp_path / "copy")), ["vgg"])
    assert not (tmp_path / "copy").exists()


def test_markers_are_written_after_everything_else(source, target, monkeypatch):
    written = []
    create = Place.create

    def note(self, path, data):
        written.append(path)
        return create(self, path, data)

    monkeypatch.setattr(Place, "create", note)
    transfer(source, target)
    kinds = [path.startswith("commits/") for path in written]
    assert kinds == sorted(kinds)
    assert sum(kinds) == 7


def test_every_attempt_travels_with_its_note_and_the_earlier_marker_goes_first(
    filled, target, a_plan, a_launch, monkeypatch
):
    launch = a_launch(a_plan(NEW), 2)
    an_attempt(filled, launch, "second", attempt=1, status="lost", reason="nobody ran it any more")
    notes = filled.path / "studies" / NEW / "attempts"
    (notes / f"{NEW}.r01p01.a0.json").write_text('{"note": "running"}')  # an attempt without a marker
    written = []
    create = Place.create
    monkeypatch.setattr(Place, "create", lambda self, path, data: written.append(path) or create(self, path, data))
    transferred = transfer(Place.at(str(filled.path)), target)
    here = contents(Place.at(str(filled.path)))
    del here[f"studies/{NEW}/attempts/{NEW}.r01p01.a0.json"]
    assert contents(target) == here
    assert transferred.notes == (f"launch {NEW}.r01p01 has not ended there: nothing of it is copied yet",)
    assert transferred.launches == 8
    first, second = (f"commits/{NEW}/{launch.launch_id}{suffix}.json" for suffix in ("", ".a1"))
    assert written.index(first) < written.index(second)


def test_what_was_written_beside_a_plan_travels_with_it(filled, target):
    noise = filled.path / "studies" / NEW / "calibration.json"
    noise.write_text("{}")
    transfer(Place.at(str(filled.path)), target)
    assert contents(target)[f"studies/{NEW}/calibration.json"] == b"{}"


def test_logs_stay_unless_they_are_asked_for_and_only_those_of_committed_launches_go(filled, target):
    logs = filled.path / "studies" / OLD / "logs"
    for name in (f"{OLD}.r00p00", f"{OLD}.r00p00.interrupted-17"):
        (logs / name).mkdir(parents=True)
        (logs / name / "rank0.log").write_text("in /home/somebody")
    source = Place.at(str(filled.path))
    transfer(source, target)
    assert not any("/logs/" in path for path in target.sizes())
    transferred = transfer(source, target, logs=True)
    assert (transferred.files, transferred.present) == (1, 29)
    assert target.read(f"studies/{OLD}/logs/{OLD}.r00p00/rank0.log") == b"in /home/somebody"
    assert sum("/logs/" in path for path in target.sizes()) == 1


# What is there already


def test_a_launch_that_is_there_with_another_result_is_refused_and_named_and_the_others_go(
    filled, target, a_plan, a_launch, a_dna, tmp_path
):
    theirs = Store.open(tmp_path / "theirs")
    other = a_launch(a_plan(NEW), 0, throughput_sps=999.0)
    theirs.commit(LaunchRows(launch=other, dna=a_dna(other)))
    (theirs.path / "studies" / NEW).mkdir(parents=True)
    shutil.copy(filled.path / "studies" / NEW / "study.json", theirs.path / "studies" / NEW)
    transfer(Place.at(str(theirs.path)), target)
    before = contents(target)
    # A later attempt here would take the place of their result: it stays too.
    an_attempt(filled, other, "again", attempt=1)

    transferred = transfer(Place.at(str(filled.path)), target)
    marker = f"commits/{NEW}/{other.launch_id}.json"
    assert transferred.refused == (
        f"launch {other.launch_id} was left out: {marker} has other content there; nothing was changed",
    )
    assert transferred.launches == 6
    after = contents(target)
    assert {path: after[path] for path in before} == before
    assert not [path for path in set(after) - set(before) if other.launch_id in path]
    assert len(seen(target)) == 7


def test_an_attempt_that_somebody_else_runs_there_is_not_fenced_off(filled, target, a_plan, a_launch):
    launch = a_launch(a_plan(NEW), 3)
    an_attempt(filled, launch, "ours")
    target.make_store()
    note = f"studies/{NEW}/attempts/{launch.launch_id}.a0.json"
    target.create(note, b'{"note": "theirs, and running"}')
    (refused,) = transfer(Place.at(str(filled.path)), target).refused
    assert launch.launch_id in refused
    assert note in refused
    assert not any(launch.launch_id in path for path in seen(target))
    assert target.read(note) == b'{"note": "theirs, and running"}'


def test_a_study_of_the_same_name_and_another_plan_is_refused_whole(source, target):
    target.make_store()
    target.create(f"studies/{OLD}/study.json", b'{"study_id": "of another plan"}')
    transferred = transfer(source, target)
    (refused,) = transferred.refused
    assert refused.startswith(f"study {OLD} was left out")
    assert {path.split("/")[1] for path in seen(target)} == {NEW}
    assert target.read(f"studies/{OLD}/study.json") == b'{"study_id": "of another plan"}'
    assert not any(path.startswith(f"launches/{OLD}/") for path in target.sizes())


def test_a_file_without_a_marker_that_is_somebody_else_s_is_left_alone(source, target):
    path = f"launches/{OLD}/{OLD}.r00p00.parquet"
    target.make_store()
    target.create(path, b"of a commit that is under way")
    (refused,) = transfer(source, target).refused
    assert path in refused
    assert target.read(path) == b"of a commit that is under way"
    assert len(seen(target)) == 6


def test_a_name_that_is_claimed_in_a_folder_is_somebody_else_s_who_is_writing(source, tmp_path):
    """Where there are no hard links, an empty file claims a marker's name: see `fsops.publish`."""
    marker = f"commits/{OLD}/{OLD}.r00p00.json"
    target = Place.at(str(tmp_path / "copy"))
    target.make_store()
    target.create(marker, b"")
    (refused,) = transfer(source, target).refused
    assert marker in refused
    assert target.read(marker) == b""


def test_a_file_that_got_lost_there_is_copied_again(source, target):
    transfer(source, target)
    path = f"steps/{OLD}/{OLD}.r00p00.parquet"
    target.remove(path)
    transferred = transfer(source, target)
    assert (transferred.files, transferred.launches) == (1, 0)
    assert contents(target) == contents(source)


def test_of_two_that_copy_at_once_the_slower_finds_it_there(source, target, monkeypatch):
    """Both have looked and found nothing before either writes."""
    transfer(source, target)
    monkeypatch.setattr(
        Place, "sizes", lambda self, _=None, sizes=Place.sizes: sizes(self) if self.url == source.url else {"FORMAT": 1}
    )
    transferred = transfer(source, target)
    assert (transferred.files, transferred.launches, transferred.present, transferred.refused) == (0, 7, 29, ())


def test_of_two_that_write_one_launch_at_once_the_slower_is_refused(source, target, monkeypatch):
    marker = f"commits/{OLD}/{OLD}.r00p00.json"
    create = Place.create

    def overtaken(self, path, data):
        if path == marker and self.url == target.url:
            create(self, path, b'{"of": "another writer"}')
        return create(self, path, data)

    monkeypatch.setattr(Place, "create", overtaken)
    (refused,) = transfer(source, target).refused
    assert marker in refused
    assert target.read(marker) == b'{"of": "another writer"}'


# What goes wrong on the way


@pytest.mark.faults
def test_a_copy_to_a_folder_that_fails_at_any_file_shows_whole_launches_only_and_can_be_finished(
    source, tmp_path, monkeypatch
):
    publish, failed = fsops.publish, 0
    for number in range(1, 100):
        target = Place.at(str(tmp_path / f"copy{number}"))
        calls = []

        def fail(staged, final, calls=calls, number=number):
            calls.append(final)
            if len(calls) == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return publish(staged, final)

        monkeypatch.setattr(fsops, "publish", fail)
        try:
            transfer(source, target)
        except CannotError as error:
            failed += "No space left" in str(error)
        else:
            break
        finally:
            monkeypatch.setattr(fsops, "publish", publish)
        seen(target)
        transfer(source, target)
        assert contents(target) == contents(source), number
    assert failed == 1 + 1 + 29  # FORMAT, what Store.open tries out, every file


def test_a_copy_elsewhere_that_breaks_off_within_any_file_shows_whole_launches_only_and_can_be_finished(
    source, monkeypatch
):
    """Not every place writes a file whole or not at all."""
    pipe_file, failed, launches_seen = MemoryFileSystem.pipe_file, 0, set()
    for number in range(1, 100):
        target = Place.at(f"memory://lab/copy{number}")
        calls = []

        def tear(self, path, value, mode="overwrite", calls=calls, number=number):
            calls.append(path)
            if len(calls) == number:
                pipe_file(self, path, value[: len(value) // 2])
                raise ConnectionResetError("the line is gone")
            return pipe_file(self, path, value, mode=mode)

        monkeypatch.setattr(MemoryFileSystem, "pipe_file", tear)
        try:
            transfer(source, target)
        except CannotError as error:
            failed += "the line is gone" in str(error)
        else:
            break
        finally:
            monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
        launches_seen.add(len(seen(target)))
        transfer(source, target)
        assert contents(target) == contents(source), number
    assert failed == 1 + 29
    assert launches_seen == set(range(7))


def test_a_format_that_is_none_says_so(source):
    MemoryFileSystem().pipe_file("/lab/results/FORMAT", b"PDF-1.7")
    with pytest.raises(CannotError, match="FORMAT cannot be read as a store's format"):
        transfer(source, Place.at(REMOTE))


def test_a_file_that_arrives_changed_is_taken_back_and_its_launch_is_not_shown(source, monkeypatch):
    pipe_file = MemoryFileSystem.pipe_file
    wanted = f"steps/{OLD}/{OLD}.r00p00.parquet"

    def flip(self, path, value, **how):
        return pipe_file(self, path, bytes([value[0] ^ 1]) + value[1:] if path.endswith(wanted) else value, **how)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", flip)
    target = Place.at(REMOTE)
    with pytest.raises(CannotError, match=f"{wanted} did not arrive whole"):
        transfer(source, target)
    assert wanted not in target.sizes()
    assert seen(target) == {}
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
    transfer(source, target)
    assert contents(target) == contents(source)


@pytest.mark.parametrize("damage", ["changed", "missing", "torn marker", "marker of another launch"])
def test_a_launch_that_is_damaged_here_is_left_out_and_named(filled, target, damage):
    name = f"{OLD}.r00p00"
    file, marker = filled.path / "steps" / OLD / f"{name}.parquet", filled.path / "commits" / OLD / f"{name}.json"
    if damage == "changed":
        data = bytearray(file.read_bytes())
        data[20] ^= 1
        file.write_bytes(data)
    elif damage == "missing":
        file.unlink()
    elif damage == "torn marker":
        marker.write_bytes(marker.read_bytes()[:50])
    else:
        shutil.copy(marker.with_name(f"{OLD}.r00p01.json"), marker)
    transferred = transfer(Place.at(str(filled.path)), target)
    (refused,) = transferred.refused
    assert refused.startswith(f"launch {name} was left out")
    assert len(seen(target)) == transferred.launches == 6
    assert not any(name in path for path in target.sizes())


@pytest.mark.parametrize("path", ["../../outside.parquet", "steps/../../outside.parquet", "commits/{study}/x.json"])
def test_a_marker_from_elsewhere_cannot_name_a_place_outside(source, tmp_path, path):
    there = Place.at(REMOTE)
    transfer(source, there)
    MemoryFileSystem().pipe_file("/outside.parquet", b"x")
    marker = f"commits/{OLD}/{OLD}.r00p00.json"
    document = json.loads(there.read(marker))
    document["files"][0] |= {"path": path.format(study=OLD)}
    there.system.pipe_file(f"{there.root}/{marker}", json.dumps(document).encode())
    (refused,) = transfer(there, Place.at(str(tmp_path / "back"))).refused
    assert "none of its study's" in refused
    assert not list(tmp_path.rglob("outside*"))


# Places


def test_a_protocol_that_nobody_knows_and_one_whose_package_is_missing_are_told_apart(monkeypatch):
    with pytest.raises(UsageError, match="foo"):
        Place.at("foo://bucket/results")
    missing = {"class": "no_such_package_of_ours.FileSystem", "err": "Install it to reach that"}
    monkeypatch.setitem(known_implementations, "that", missing)
    with pytest.raises(CannotError, match="Install it") as error:
        Place.at("that://bucket/results")
    assert error.value.hint == "uv pip install no_such_package_of_ours"


def test_a_password_in_a_url_is_used_and_never_told(monkeypatch):
    asked = []

    def remember(url):
        asked.append(url)
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr(place, "url_to_fs", remember)
    with pytest.raises(CannotError) as error:
        Place.at("sftp://me:secret@host:2222/data/results")
    assert asked == ["sftp://me:secret@host:2222/data/results"]
    assert error.value.lines[0] == "error: sftp://me@host:2222/data/results cannot be reached: Connection refused"


def test_what_is_no_store_is_not_copied_from(tmp_path, target):
    for url in (str(tmp_path / "nowhere"), str(tmp_path), "memory://nowhere"):
        with pytest.raises(NoStoreError, match="no store"):
            transfer(Place.at(url), target)
    assert target.sizes() == {}


def test_a_store_of_another_layout_is_left_alone(source, tmp_path):
    there = Place.at(REMOTE)
    there.create("FORMAT", b'{"layout": 2}')
    with pytest.raises(CannotError, match="layout 2"):
        transfer(source, there)
    with pytest.raises(CannotError, match="layout 2"):
        transfer(there, Place.at(str(tmp_path / "back")))
    assert contents(there) == {"FORMAT": b'{"layout": 2}'}


def test_a_store_is_not_copied_onto_itself(source, tmp_path):
    (tmp_path / "link").symlink_to(source.folder)
    for url in (f"file://{source.folder}", str(tmp_path / "link"), f"{source.folder}/"):
        with pytest.raises(UsageError, match="the store itself"):
            transfer(source, Place.at(url))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "no permission"),
        (FileNotFoundError(errno.ENOENT, "The specified bucket does not exist"), "no such place"),
        (RuntimeError("SlowDown: please reduce your request rate"), "SlowDown"),
    ],
)
def test_what_the_other_side_answers_is_told_in_a_line(source, monkeypatch, error, words):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(CannotError, match=words) as found:
        transfer(source, Place.at(REMOTE))
    assert found.value.message.startswith(REMOTE)
    assert len(found.value.lines) == 2


def test_a_place_that_knows_no_exclusive_writing_is_looked_at_first(source, monkeypatch):
    pipe_file = MemoryFileSystem.pipe_file

    def plain(self, path, value):
        return pipe_file(self, path, value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", plain)
    there = Place.at(REMOTE)
    assert there.create("a", b"first")
    assert not there.create("a", b"second")
    transfer(source, there)
    assert there.read("a") == b"first"
    assert len(seen(there)) == 7


def test_folders_are_made_where_they_are_needed_but_not_a_misspelt_place(monkeypatch):
    pipe_file = MemoryFileSystem.pipe_file

    def strict(self, path, value, **how):
        if not self.isdir(self._parent(path)):
            raise FileNotFoundError(path)
        return pipe_file(self, path, value, **how)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", strict)
    there = Place.at(REMOTE)
    with pytest.raises(CannotError, match="no such place"):
        there.create("a/b/c", b"content")
    assert MemoryFileSystem().ls("/") == []
    MemoryFileSystem().mkdir("/lab")
    assert there.create("a/b/c", b"content")
    assert there.read("a/b/c") == b"content"


def test_a_folder_there_is_written_as_a_commit_is(source, tmp_path, monkeypatch):
    """By a hard link out of staging: a reader never sees half a file."""
    links = []
    link = Path.hardlink_to
    monkeypatch.setattr(Path, "hardlink_to", lambda self, staged: links.append(self) or link(self, staged))
    transfer(source, Place.at(str(tmp_path / "copy")))
    assert {file for file in (tmp_path / "copy").rglob("*") if file.is_file()} <= set(links)
    assert list((tmp_path / "copy" / "staging").iterdir()) == []
