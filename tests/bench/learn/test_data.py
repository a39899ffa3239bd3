"""Random images in place of data."""

import pytest
import torch

from bench.learn import WorkloadError
from tests.bench.learn.loading import load


def test_any_shape_and_number_of_classes_can_be_made():
    data = load("synthetic", input_shape=(5, 7, 9), classes=3, size=40)
    assert data.train_images.shape == (40, 5, 7, 9)
    assert (data.input_shape, data.classes) == ((5, 7, 9), 3)
    assert set(data.train_labels.tolist()) == {0, 1, 2}
    assert data.synthetic
    assert data.test_images is None


def test_images_are_not_zeros_and_the_seed_decides_them():
    first, again, other = (load("synthetic", seed=seed).train_images for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(first.unique()) == 256


def test_the_constants_are_those_of_the_noise():
    data = load("synthetic", size=200)
    pixels = data.train_images / 255
    assert (pixels.mean().item(), pixels.std().item()) == pytest.approx((data.mean[0], data.std[0]), abs=0.01)


@pytest.mark.parametrize("asked", [{"input_shape": (0, 3, 3)}, {"classes": 1}])
def test_sizes_that_nothing_can_be_made_of_are_refused(asked):
    with pytest.raises(WorkloadError, match="Nothing can be trained"):
        load("synthetic", **asked)
