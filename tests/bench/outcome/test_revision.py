"""Which commit, and whether the files are as it has them: by real repositories."""

import shutil
import subprocess

import pytest

from bench.outcome.source import revision_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def repository(tmp_path):
    def git(*words):
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(("git", "-C", str(tmp_path), *who, *words), check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "net.py").write_text("x = 1\n")
    (tmp_path / "pkg" / "layers.py").write_text("")
    git("add", "net.py", "pkg")
    git("commit", "-qm", "one")
    return tmp_path


def test_files_as_the_commit_has_them_are_clean(repository):
    found = revision_of(repository, ["net.py", "pkg/layers.py", "elsewhere.py"])
    assert (len(found.commit), found.dirty) == (40, False)


@pytest.mark.parametrize("name", ["net.py", "pkg/layers.py", "new.py"])
def test_a_file_that_was_edited_or_never_committed_is_said(repository, name):
    with (repository / name).open("a") as file:
        file.write("y = 2\n")
    assert revision_of(repository, ["net.py", "pkg/layers.py", "new.py"]).dirty


def test_what_else_was_edited_is_nobodys_business_and_nothing_is_written(repository):
    (repository / "notes.py").write_text("draft")
    before = (repository / ".git" / "index").read_bytes()
    assert not revision_of(repository, ["net.py"]).dirty
    assert (repository / ".git" / "index").read_bytes() == before


def test_outside_of_a_repository_there_is_no_commit(tmp_path):
    (tmp_path / "net.py").write_text("")
    assert revision_of(tmp_path, ["net.py"]) is None
    assert revision_of(tmp_path, []) is None
