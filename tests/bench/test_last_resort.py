"""An error that nobody expected is told and saved, whatever is missing; what the surroundings lack is no bug."""

import errno
import os
import sys
import tempfile
import threading
from pathlib import Path

import platformdirs
import pytest

from bench import folders, last_resort


@pytest.fixture(autouse=True)
def _logs(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/somewhere"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError(errno.EMFILE, "Too many open files"),
        PermissionError(errno.EACCES, "Permission denied", "/root/x"),
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
        FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
        MemoryError(),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:40],
)
def test_what_the_machine_lacks_ends_with_3_and_what_to_do(error) -> None:
    facts = last_resort.failure(error)
    assert facts.code == 3
    assert len(facts.lines) == 3
    assert "bug" not in facts.message


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), FileNotFoundError(errno.ENOENT, "gone"), RuntimeError()])
def test_anything_else_is_a_bug(error) -> None:
    assert last_resort.failure(error).code == 1


def test_a_traceback_is_saved_where_a_home_and_a_temporary_folder_are_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(last_resort, "_log_folder", lambda: folders.of_user(no_home))
    monkeypatch.setattr(tempfile, "gettempdir", no_temporary_folder)
    facts = last_resort.failure(ZeroDivisionError("oops \udcff"))
    assert str(tmp_path) in facts.hint
    assert "oops" in next(tmp_path.glob("crash-*.txt")).read_text()


def test_where_no_folder_can_be_written_the_error_is_told_all_the_same(monkeypatch) -> None:
    def unwritable(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "open", unwritable)
    assert "nowhere" in last_resort.failure(ZeroDivisionError("oops")).hint


def test_ctrl_c_is_told_from_a_machine_that_starts_no_thread(monkeypatch) -> None:
    assert last_resort.interrupted().code == 130

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    facts = last_resort.interrupted()
    assert facts.code == 3
    assert "ulimit -u" in facts.hint


def test_without_a_home_a_cache_is_empty_and_takes_nothing() -> None:
    folder = folders.of_user(no_home)
    assert not (folder / "data").exists()
    with pytest.raises(OSError):
        folder.mkdir(parents=True)


def test_a_home_that_nobody_knows_is_left_as_it_was_written(monkeypatch) -> None:
    assert str(folders.expanded("~nobody-of-this-name/data")) == "~nobody-of-this-name/data"
    monkeypatch.setenv("HOME", "/h")
    assert str(folders.expanded("~/data")) == "/h/data"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG is Linux's")
def test_a_folder_that_a_variable_names_needs_no_home(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", os.devnull)
    assert folders.of_user(platformdirs.user_cache_path) == tmp_path / "bench"


def no_home(*_: object, **__: object) -> Path:
    raise RuntimeError("could not determine the home directory")


def no_temporary_folder() -> str:
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")
