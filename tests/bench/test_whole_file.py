"""A small file appears whole or not at all, whatever hinders it, and leaves no draft behind."""

import pytest

from bench import whole_file


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_nobody_sees_a_part_of_it(tmp_path):
    file = tmp_path / "facts.json"
    file.write_bytes(b"older")
    with whole_file.drafted(file) as draft:
        draft.write(b"new")
        draft.flush()
        assert file.read_bytes() == b"older"
    assert contents(tmp_path) == {"facts.json": b"new"}


def test_what_goes_wrong_leaves_the_older_file_and_no_draft(tmp_path):
    file = tmp_path / "facts.json"
    file.write_bytes(b"older")

    def fill_up(draft):
        draft.write(b"ne")
        raise OSError("full")

    with pytest.raises(OSError, match="full"), whole_file.drafted(file) as draft:
        fill_up(draft)
    assert contents(tmp_path) == {"facts.json": b"older"}


def test_of_several_files_none_changes_where_one_cannot_be_written(tmp_path):
    first, second = tmp_path / "a", tmp_path / "missing" / "b"
    first.write_bytes(b"older")
    with pytest.raises(FileNotFoundError):
        whole_file.write({first: b"new", second: b"new"})
    assert contents(tmp_path) == {"a": b"older"}


def test_several_files_are_there_together(tmp_path):
    whole_file.write({tmp_path / "a": b"1", tmp_path / "b": b""})
    assert contents(tmp_path) == {"a": b"1", "b": b""}
