"""Every folder that a study will write is tried before anything is trained, by the very step that a commit takes."""

import errno
import os
from pathlib import Path

import pytest

from bench.errors import CannotError
from bench.plan import to_json
from bench.store import fsops
from bench.store.commit import Store


def refusing(where: Path, code: int):
    """A hard link into this folder fails, as on another disk, a full or a foreign one."""
    hardlink_to = Path.hardlink_to

    def link(self, target):
        if where in (self.parent, *self.parents):
            raise OSError(code, os.strerror(code), str(self))
        return hardlink_to(self, target)

    return link


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (errno.EXDEV, "lies on another disk than staging/"),
        (errno.ENOSPC, "No space left on device"),
        (errno.EDQUOT, "quota exceeded"),
        (errno.EROFS, "Read-only file system"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("table", ["steps", "commits", "studies"])
def test_a_folder_that_cannot_be_written_is_named_before_anything_runs(filled, monkeypatch, table, code, found):
    monkeypatch.setattr(Path, "hardlink_to", refusing(filled.path / table, code))
    with pytest.raises(CannotError, match=f"{table} cannot be written: .*{found}") as refused:
        Store.open(filled.path)
    assert "nothing was trained" in refused.value.hint


def test_a_study_that_is_gone_on_with_is_tried_folder_by_folder(filled, monkeypatch):
    study_id = "2611230900-lenet-77ff"
    monkeypatch.setattr(Path, "hardlink_to", refusing(filled.path / "dna" / study_id, errno.EXDEV))
    opened = Store.open(filled.path)
    with pytest.raises(CannotError, match="another disk"):
        opened.try_out(study_id)
    opened.try_out("2611220824-lenet-0a1b")


def test_a_link_to_nowhere_and_a_file_in_a_table_s_place_are_named(tmp_path):
    for name, make in (("steps", lambda path: path.symlink_to("/nowhere/at/all")), ("epochs", Path.touch)):
        store = Store.open(tmp_path / name).path
        make(store / name)
        with pytest.raises(CannotError, match=f"{name} cannot be written"):
            Store.open(store)


def test_trying_leaves_nothing_behind(filled):
    before = sorted(filled.path.rglob("*"))
    Store.open(filled.path).try_out("2611220824-lenet-0a1b")
    assert sorted(filled.path.rglob("*")) == [*before, filled.path / "staging"] or set(filled.path.rglob("*")) == {
        *before,
        filled.path / "staging",
    }


@pytest.mark.parametrize(
    ("room", "needs", "found"),
    [
        (fsops.Room(bytes=10, files=None), {"needs_bytes": 11}, "MB of room"),
        (fsops.Room(bytes=None, files=10), {"needs_files": 11}, "10 inodes left"),
    ],
)
def test_what_does_not_fit_is_refused_and_what_is_not_known_is_not_taken_for_nothing(
    tmp_path, monkeypatch, room, needs, found
):
    monkeypatch.setattr(fsops, "room", lambda _: room)
    with pytest.raises(CannotError, match=found):
        Store.open(tmp_path / "store", **needs)
    monkeypatch.setattr(fsops, "room", lambda _: fsops.Room(bytes=None, files=None))
    Store.open(tmp_path / "store", needs_bytes=10**18, needs_files=10**18)


def test_a_file_system_that_says_0_of_0_has_said_nothing(tmp_path, monkeypatch):
    found = os.statvfs_result((4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    assert fsops.room(tmp_path) == fsops.Room(bytes=None, files=None)


def test_inodes_are_named_when_they_are_what_ran_out(tmp_path, monkeypatch):
    error = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(fsops, "room", lambda _: fsops.Room(bytes=10**9, files=0))
    assert "inodes" in fsops.why(error, tmp_path / "not" / "there")
    monkeypatch.setattr(fsops, "room", lambda _: fsops.Room(bytes=0, files=10**6))
    assert fsops.why(error, tmp_path) == "No space left on device"


def test_a_plan_says_how_many_files_it_will_write(a_plan):
    plan = a_plan()
    assert plan.estimated_files > 6 * len(plan.launches)
    assert "estimated_files" not in to_json(plan)
