"""Kept copies of decoded images: fast when they fit, ignored when they do not."""

import numpy as np
import pytest

from bench.account import Seen
from bench.learn.sources.decoded import remembered
from bench.learn.sources.source import Part

SHAPE = (1, 2, 2)


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "source"
    file.write_bytes(b"one")
    return file


@pytest.fixture
def decode():
    """Counts how often it had to work."""

    def work():
        work.calls += 1
        return np.full((5, *SHAPE), work.calls, dtype=np.uint8), np.arange(5)

    work.calls = 0
    return work


def test_the_second_time_nothing_is_decoded(source, decode):
    first, second = (remembered([source], SHAPE, decode) for _ in range(2))
    assert decode.calls == 1
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_a_changed_source_or_another_shape_is_decoded_anew(source, decode):
    remembered([source], SHAPE, decode)
    source.write_bytes(b"another")
    assert remembered([source], SHAPE, decode)[0].max() == 2
    remembered([source], (1, 4, 1), decode)
    assert decode.calls == 3


@pytest.mark.parametrize("part", ["images", "labels"])
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_torn_copy_is_ignored_and_replaced(source, decode, own_cache, part, damage):
    remembered([source], SHAPE, decode)
    (file,) = own_cache.rglob(f"*.{part}.npy")
    file.write_bytes(file.read_bytes()[:-3] if damage is None else damage)
    assert remembered([source], SHAPE, decode)[0].max() == 2
    assert remembered([source], SHAPE, decode)[0].max() == 2


def test_a_copy_whose_parts_do_not_belong_together_is_ignored(source, decode, own_cache):
    remembered([source], SHAPE, decode)
    (file,) = own_cache.rglob("*.labels.npy")
    np.save(file, np.arange(4))
    assert remembered([source], SHAPE, decode)[0].max() == 2


def test_a_folder_that_cannot_be_written_is_no_error_and_leaves_nothing(source, decode, own_cache):
    own_cache.write_text("a file where the folder should be")
    for calls in (1, 2):
        assert remembered([source], SHAPE, decode)[0].max() == calls


def test_nothing_half_written_stays_behind(source, decode, own_cache):
    remembered([source], SHAPE, decode)
    assert sorted(file.suffixes[0] for file in own_cache.rglob("*") if file.is_file()) == [".images", ".labels"]


def test_writing_into_a_kept_copy_does_not_change_it(source, decode):
    remembered([source], SHAPE, decode)
    remembered([source], SHAPE, decode)[0][:] = 99
    assert remembered([source], SHAPE, decode)[0].max() == 1
