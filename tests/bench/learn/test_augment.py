"""Augmentation is drawn for each sample, never for a whole batch."""

import colorsys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bench.learn import augment
from bench.learn.catalogue import AFFINE, CUTOUT, HUE, JITTER, Augmentation

BOTH = (augment.CROP, augment.FLIP)
CHANGES = (AFFINE, JITTER, HUE)


def changed(images, name, strength, numbers):
    what = Augmentation(name=name, strength=strength)
    return augment.change(images, what, torch.as_tensor(numbers, dtype=torch.float32).expand(len(images), -1))


def drawn_numbers(count, name, seed=0):
    return augment.draw_numbers(count, name, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", BOTH)
def test_crop_and_flip_treat_samples_of_one_batch_differently(name):
    one = torch.arange(1, 3 * 8 * 8 + 1, dtype=torch.uint8).view(1, 3, 8, 8)
    same = one.expand(64, -1, -1, -1)
    seen = augment.apply(same, augment.draw(64, [name], torch.Generator().manual_seed(0)))
    kinds = len(torch.unique(seen.flatten(1), dim=0))
    assert kinds == 2 if name == augment.FLIP else kinds > 20
    assert not torch.equal(seen, same)


def test_crop_and_flip_are_what_padding_slicing_and_mirroring_by_hand_give():
    images = torch.randint(0, 256, (32, 2, 6, 9), dtype=torch.uint8)
    drawn = augment.draw(32, BOTH, torch.Generator().manual_seed(3))
    for image, seen, (down, right, mirror) in zip(images, augment.apply(images, drawn), drawn.tolist(), strict=True):
        crop = functional.pad(image, (4, 4, 4, 4))[:, down : down + 6, right : right + 9]
        assert torch.equal(seen, crop.flip(-1) if mirror else crop)


def test_all_shifts_and_both_sides_are_equally_likely():
    drawn = augment.draw(90_000, BOTH, torch.Generator().manual_seed(0))
    for column, values in ((0, 9), (1, 9), (2, 2)):
        shares = drawn[:, column].bincount(minlength=values) / len(drawn)
        assert torch.allclose(shares, torch.full((values,), 1 / values), atol=0.01)


def test_nothing_asked_for_changes_nothing():
    images = torch.randint(0, 256, (4, 1, 5, 5), dtype=torch.uint8)
    assert torch.equal(augment.apply(images, augment.draw(4, [], torch.Generator())), images)


def test_asking_for_a_flip_does_not_change_the_crops():
    single, both = (augment.draw(50, names, torch.Generator().manual_seed(5)) for names in ([augment.CROP], BOTH))
    assert torch.equal(single[:, :2], both[:, :2])
    assert not single[:, 2].any()


@pytest.mark.parametrize("name", CHANGES)
def test_two_equal_samples_of_one_batch_come_out_differently(name):
    same = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8).expand(16, -1, -1, -1)
    seen = changed(same, name, 0.3, drawn_numbers(16, name))
    assert len(torch.unique(seen.flatten(1), dim=0)) == 16


def test_two_samples_lose_squares_in_different_places():
    seen = augment.cut(torch.ones(16, 3, 8, 8), 3, drawn_numbers(16, CUTOUT))
    assert len(torch.unique(seen.flatten(1), dim=0)) > 8


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(CHANGES),
    strength=st.floats(0.01, 0.5),
    seed=st.integers(0, 99),
    shape=st.sampled_from([(3, 6, 9), (3, 1, 1), (3, 8, 8)]),
)
def test_pixels_stay_in_range_whatever_is_drawn(name, strength, seed, shape):
    images = torch.randint(0, 256, (8, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    seen = changed(images, name, strength, drawn_numbers(8, name, seed))
    assert seen.dtype == torch.float32
    assert seen.shape == images.shape
    assert seen.min() >= 0
    assert seen.max() <= 255.001  # bilinear weights add up to 1 within rounding


@pytest.mark.parametrize("name", CHANGES)
def test_a_sample_that_drew_nothing_stays_as_it_is(name):
    images = torch.randint(0, 256, (4, 3, 7, 5), dtype=torch.uint8)
    assert torch.allclose(changed(images, name, 0.3, drawn_numbers(4, name) * 0), images.float(), atol=0.01)


@settings(deadline=None, max_examples=40)
@given(side=st.integers(1, 12), seed=st.integers(0, 99))
def test_cutout_removes_exactly_its_square_and_nothing_else(side, seed):
    height, width = 9, 7
    drawn = drawn_numbers(6, CUTOUT, seed)
    seen = augment.cut(torch.ones(6, 2, height, width), side, drawn)
    for image, (down, right) in zip(
        seen, ((drawn + 1) / 2 * torch.tensor([height, width])).int().tolist(), strict=True
    ):
        expected = torch.ones(height, width)
        top, left = down - side // 2, right - side // 2
        expected[max(0, top) : top + side, max(0, left) : left + side] = 0
        assert torch.equal(image, expected.expand(2, -1, -1))


def test_brightness_contrast_and_saturation_are_torchvisions():
    vision = pytest.importorskip("torchvision.transforms.functional")
    images = torch.randint(0, 256, (3, 3, 8, 8)) / 255
    factors = torch.tensor([[1.3, 0.8, 1.4], [0.6, 1.2, 0.5], [1.0, 1.0, 0.0]])
    seen = changed(images[:1] * 255, JITTER, 1.0, factors[:1] - 1)
    for image, row in zip(images, factors.tolist(), strict=True):
        expected = vision.adjust_brightness(image, row[0])
        expected = vision.adjust_saturation(vision.adjust_contrast(expected, row[1]), row[2])
        seen = changed(image[None] * 255, JITTER, 1.0, [[factor - 1 for factor in row]])[0]
        assert torch.allclose(seen / 255, expected, atol=1e-4)


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.1, 0.45])
def test_a_turned_hue_is_torchvisions(turn):
    vision = pytest.importorskip("torchvision.transforms.functional")
    image = torch.randint(0, 256, (1, 3, 8, 8)) / 255
    seen = changed(image * 255, HUE, 0.5, [[turn / 0.5, 0.0]]) / 255
    assert torch.allclose(seen, vision.adjust_hue(image, turn), atol=1e-4)


def test_saturation_is_multiplied_in_hsv_and_ends_at_one():
    red, green, blue = 0.8, 0.3, 0.5
    pixel = torch.tensor([red, green, blue]).view(1, 3, 1, 1) * 255
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    for factor in (0.5, 1.2, 2.0):
        expected = colorsys.hsv_to_rgb(hue, min(1.0, saturation * factor), value)
        seen = changed(pixel, HUE, 1.0, [[0.0, factor - 1]])
        assert seen.flatten().tolist() == pytest.approx([255 * each for each in expected], abs=1e-2)


def test_jitter_leaves_the_saturation_of_grey_images_alone():
    grey = torch.full((1, 1, 4, 4), 100.0)
    assert torch.allclose(changed(grey, JITTER, 1.0, [[0.0, 0.0, -1.0]]), grey)
    assert torch.allclose(changed(grey, JITTER, 1.0, [[0.5, 0.0, 0.0]]), grey * 1.5)


def test_affine_moves_whole_pixels_right_and_down_with_black_behind():
    image = torch.arange(1.0, 17).view(1, 1, 4, 4)
    seen = changed(image, AFFINE, 0.25, [[0.0, 1.0, 0.0, 0.0]])
    assert torch.allclose(seen[..., 1:], image[..., :-1], atol=1e-4)
    assert torch.allclose(seen[..., 0], torch.zeros(4), atol=1e-4)
    seen = changed(image, AFFINE, 0.25, [[1.0, 0.0, 0.0, 0.0]])
    assert torch.allclose(seen[:, :, 1:], image[:, :, :-1], atol=1e-4)


def test_affine_turns_by_a_share_of_half_a_turn_and_keeps_the_shape_of_pixels():
    image = torch.rand(1, 1, 6, 6) * 255
    quarter = changed(image, AFFINE, 0.5, [[0.0, 0.0, 0.0, 1.0]])
    turns = [image.rot90(times, (2, 3)) for times in (1, 3)]
    assert sum(torch.allclose(quarter, each, atol=1e-2) for each in turns) == 1
    wide = torch.zeros(1, 1, 20, 40)
    wide[..., 8:12, 10:30] = 255.0  # a bar of 4 by 20
    upright = changed(wide, AFFINE, 0.5, [[0.0, 0.0, 0.0, 1.0]])
    lit = (upright[0, 0] > 128).nonzero()
    assert [int(side) for side in lit.max(0).values - lit.min(0).values + 1] == [20, 4]


def test_affine_enlarges_by_its_share():
    image = torch.zeros(1, 1, 20, 20)
    image[..., 8:12, 8:12] = 255.0
    larger = changed(image, AFFINE, 0.5, [[0.0, 0.0, 1.0, 0.0]])
    assert int((larger > 128).sum()) == 36  # 4 x 1.5 on a side
