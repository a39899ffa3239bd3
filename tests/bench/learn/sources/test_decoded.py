"""Kept copies of decoded images: fast when they fit, ignored when they do not."""

import os

import numpy as np
import pytest

from bench.account import PicturesSeen
from bench.learn.sources import decoded
from bench.learn.sources.decoded import remembered
from bench.learn.sources.source import Split

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
        images = np.full((5, *SHAPE), work.calls, dtype=np.uint8)
        return Split(images, np.arange(5), np.arange(5, dtype=np.uint64), PicturesSeen(modes={"L": work.calls}))

    work.calls = 0
    return work


def again(source, decode, shape=SHAPE, taken_for="labels"):
    return remembered([source], shape, taken_for, decode)


def test_the_second_time_nothing_is_decoded(source, decode):
    first, second = (again(source, decode) for _ in range(2))
    assert decode.calls == 1
    assert second.seen == first.seen == PicturesSeen(modes={"L": 1})
    for name in ("images", "labels", "digests"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_a_changed_source_or_another_shape_is_decoded_anew(source, decode):
    again(source, decode)
    source.write_bytes(b"another")
    assert again(source, decode).images.max() == 2
    again(source, decode, shape=(1, 4, 1))
    assert decode.calls == 3


def test_the_same_files_taken_for_other_classes_are_decoded_anew(source, decode):
    for names, labels in ((["cat", "dog"], [0, 1]), (["cat", "dog"], [1, 0]), (["cat", "eel"], [0, 1])):
        again(source, decode, taken_for=[names, labels])
    assert decode.calls == 3


def test_a_source_that_was_changed_and_given_its_old_time_back_is_decoded_anew(source, decode):
    again(source, decode)
    known = source.stat()
    source.write_bytes(b"two")
    os.utime(source, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert again(source, decode).images.max() == 2


def test_another_version_of_pillow_or_of_the_code_decodes_anew(source, decode, monkeypatch):
    again(source, decode)
    monkeypatch.setattr(decoded.PIL, "__version__", "1.1.7")
    again(source, decode)
    monkeypatch.setattr(decoded, "_FORMAT", 0)
    assert again(source, decode).images.max() == 3


@pytest.mark.parametrize("part", ["images.npy", "labels.npy", "digests.npy", "seen.json"])
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_torn_copy_is_ignored_and_replaced(source, decode, own_cache, part, damage):
    again(source, decode)
    (file,) = own_cache.rglob(f"*.{part}")
    file.write_bytes(file.read_bytes()[:-3] if damage is None else damage)
    assert again(source, decode).images.max() == 2
    assert again(source, decode).images.max() == 2


@pytest.mark.parametrize("part", ["labels", "digests"])
def test_a_copy_whose_parts_do_not_belong_together_is_ignored(source, decode, own_cache, part):
    again(source, decode)
    (file,) = own_cache.rglob(f"*.{part}.npy")
    np.save(file, np.load(file)[:4])
    assert again(source, decode).images.max() == 2


def test_a_folder_that_cannot_be_written_is_no_error_and_leaves_nothing(source, decode, own_cache):
    own_cache.write_text("a file where the folder should be")
    for calls in (1, 2):
        assert again(source, decode).images.max() == calls


def test_nothing_half_written_stays_behind(source, decode, own_cache):
    again(source, decode)
    left = sorted(file.suffixes[0] for file in own_cache.rglob("*") if file.is_file())
    assert left == [".digests", ".images", ".labels", ".seen"]


def test_writing_into_a_kept_copy_does_not_change_it(source, decode):
    again(source, decode)
    again(source, decode).images[:] = 99
    assert again(source, decode).images.max() == 1
