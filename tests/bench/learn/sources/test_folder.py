"""Class-folder trees."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from bench.learn import WorkloadError
from bench.learn.sources import folder as module
from tests.bench.learn.loading import load

SHAPE = (3, 8, 8)


def put(file, size=(12, 9), colour=(10, 20, 30)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file)


def tree(root, per_class=2, parts=("train", "val")):
    for part in parts:
        for label, name in enumerate(("ants", "bees", "wasps")):
            for number in range(per_class):
                put(root / part / name / f"{number}.png", colour=(label * 50, 0, 0))
    return root


def refusal(root, **more):
    with pytest.raises(WorkloadError) as caught:
        load("folder", root, **{"input_shape": SHAPE, **more})
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("testing", ["val", "test", "validation"])
def test_a_tree_with_a_folder_for_testing_is_read_as_it_stands(tmp_path, testing):
    data = load("folder", tree(tmp_path, parts=("train", testing)), SHAPE)
    assert data.train_images.shape == data.test_images.shape == (6, *SHAPE)
    assert data.train_labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.class_names == ("ants", "bees", "wasps")
    assert torch.equal(data.train_images[:, 0, 0, 0].long(), data.train_labels * 50)


@pytest.mark.parametrize("top", ["", "train"])
def test_a_tree_without_one_is_split_by_file_name_and_new_pictures_move_no_old_one(tmp_path, top):
    tree(tmp_path, per_class=40, parts=(top,))
    data = load("folder", tmp_path, (3, 2, 2))
    assert len(data.train_images) + len(data.test_images) == 120
    assert 10 <= len(data.test_images) <= 40
    for label, name in enumerate(("ants", "bees", "wasps")):
        put(tmp_path / top / name / "new.png", colour=(200 + label, 0, 0))
    more = load("folder", tmp_path, (3, 2, 2))
    old = more.test_labels[more.test_images[:, 0, 0, 0] < 200]
    assert torch.equal(old, data.test_labels)


def test_pictures_are_scaled_to_cover_the_shape_and_cropped_at_the_centre(tmp_path):
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 255  # the middle third of a picture three times as wide as high
    tree(tmp_path)
    Image.fromarray(wide).save(tmp_path / "train" / "ants" / "0.png")
    assert load("folder", tmp_path, SHAPE).train_images[0].min() == 255


def test_grey_pictures_are_read_on_request_and_other_depths_refused(tmp_path):
    tree(tmp_path)
    assert load("folder", tmp_path, (1, 8, 8)).train_images.shape == (6, 1, 8, 8)
    assert "1 or 3 channels, not 4" in refusal(tmp_path, input_shape=(4, 8, 8))


def test_the_default_shape_is_imagenets(tmp_path):
    assert load("folder", tree(tmp_path, per_class=1)).input_shape == (3, 224, 224)


def test_what_is_not_a_picture_or_is_hidden_is_passed_over(tmp_path):
    tree(tmp_path)
    (tmp_path / "train" / "ants" / "notes.txt").write_text("not a picture")
    put(tmp_path / "train" / ".cache" / "0.png")
    assert load("folder", tmp_path, SHAPE).classes == 3


def test_a_torn_picture_is_named(tmp_path):
    tree(tmp_path)
    file = tmp_path / "val" / "bees" / "1.png"
    file.write_bytes(file.read_bytes()[:30])
    assert f"{file} is damaged" in refusal(tmp_path)


def test_a_class_that_is_missing_from_a_part_is_named(tmp_path):
    tree(tmp_path)
    for file in (tmp_path / "val" / "bees").iterdir():
        file.unlink()
    error = refusal(tmp_path)
    assert "Class 'bees' has training pictures (train/) and no validation pictures (val/)" in error


def test_a_class_that_is_only_tested_is_named(tmp_path):
    put(tree(tmp_path) / "val" / "hornets" / "0.png")
    assert "Class 'hornets' has validation pictures (val/) and no training pictures" in refusal(tmp_path)


def test_a_folder_without_classes_is_no_tree(tmp_path):
    assert "has no class folders with pictures" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "nowhere")


def test_a_wrong_number_of_classes_is_told(tmp_path):
    error = refusal(tree(tmp_path), classes=10)
    assert "has 3 classes with pictures, not 10" in error
    assert "say --classes 3" in error


def test_too_few_pictures_to_split_are_refused(tmp_path):
    error = refusal(tree(tmp_path, per_class=1, parts=("",)))
    assert "Class 'ants' has training pictures and no validation pictures, as 2 more of 3" in error


def test_more_than_a_quarter_of_the_free_memory_is_refused_before_anything_is_decoded(tmp_path, monkeypatch):
    tree(tmp_path)
    needed = 12 * 3 * 8 * 8
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: SimpleNamespace(available=4 * needed - 4))
    monkeypatch.setattr(module, "decode", None)
    assert "Only a quarter of the free memory is used so far" in refusal(tmp_path)
