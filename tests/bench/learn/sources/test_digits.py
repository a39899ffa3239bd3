"""The embedded digits: the demo's data."""

import pytest
import torch

from bench.learn import WorkloadError
from tests.bench.learn.loading import load


def test_digits_are_1797_in_a_fixed_split_that_holds_every_class_evenly():
    data = load("digits")
    assert data.train_images.shape == (1437, 1, 32, 32)
    assert data.test_images.shape == (360, 1, 32, 32)
    assert (data.train_images.dtype, data.train_labels.dtype) == (torch.uint8, torch.int64)
    shares = data.test_labels.bincount() / (data.train_labels.bincount() + data.test_labels.bincount())
    assert torch.allclose(shares, torch.full((10,), 0.2), atol=0.005)
    assert (
        data.described == "digits: 1,437 training and 360 test images of 1x32x32 in 10 classes, from the package itself"
    )


def test_pixels_are_repeated_and_levels_fill_a_byte():
    images = load("digits").train_images
    small = images[:, :, ::4, ::4]
    assert torch.equal(images, small.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert (images.min(), images.max()) == (0, 255)
    assert len(images.unique()) == 17


def test_no_image_is_in_both_parts_and_the_constants_are_the_datas_own():
    data = load("digits")
    seen = {image.numpy().tobytes() for image in data.train_images}
    assert sum(image.numpy().tobytes() in seen for image in data.test_images) == 0
    pixels = data.train_images / 255
    assert (pixels.mean().item(), pixels.std().item()) == pytest.approx((*data.mean, *data.std), abs=1e-3)


def test_another_shape_or_number_of_classes_is_refused():
    with pytest.raises(WorkloadError, match="--input-shape 1,32,32, not 3,32,32"):
        load("digits", input_shape=(3, 32, 32))
    with pytest.raises(WorkloadError, match="--classes 10, not 5"):
        load("digits", classes=5)
    assert load("digits", input_shape=(1, 32, 32), classes=10).classes == 10
