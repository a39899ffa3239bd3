"""Augmentation is drawn for each sample, never for a whole batch."""

import pytest
import torch
from torch.nn import functional

from bench.learn import WorkloadError, augment


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
def test_every_augmentation_treats_samples_of_one_batch_differently(name):
    one = torch.arange(1, 3 * 8 * 8 + 1, dtype=torch.uint8).view(1, 3, 8, 8)
    same = one.expand(64, -1, -1, -1)
    seen = augment.apply(same, augment.draw(64, [name], torch.Generator().manual_seed(0)))
    kinds = len(torch.unique(seen.flatten(1), dim=0))
    assert kinds == 2 if name == augment.FLIP else kinds > 20
    assert not torch.equal(seen, same)


def test_crop_and_flip_are_what_padding_slicing_and_mirroring_by_hand_give():
    images = torch.randint(0, 256, (32, 2, 6, 9), dtype=torch.uint8)
    drawn = augment.draw(32, augment.AUGMENTATIONS, torch.Generator().manual_seed(3))
    for image, seen, (down, right, mirror) in zip(images, augment.apply(images, drawn), drawn.tolist(), strict=True):
        crop = functional.pad(image, (4, 4, 4, 4))[:, down : down + 6, right : right + 9]
        assert torch.equal(seen, crop.flip(-1) if mirror else crop)


def test_all_shifts_and_both_sides_are_equally_likely():
    drawn = augment.draw(90_000, augment.AUGMENTATIONS, torch.Generator().manual_seed(0))
    for column, values in ((0, 9), (1, 9), (2, 2)):
        shares = drawn[:, column].bincount(minlength=values) / len(drawn)
        assert torch.allclose(shares, torch.full((values,), 1 / values), atol=0.01)


def test_nothing_asked_for_changes_nothing():
    images = torch.randint(0, 256, (4, 1, 5, 5), dtype=torch.uint8)
    assert torch.equal(augment.apply(images, augment.draw(4, [], torch.Generator())), images)


def test_asking_for_a_flip_does_not_change_the_crops():
    alone, both = (
        augment.draw(50, names, torch.Generator().manual_seed(5)) for names in ([augment.CROP], augment.AUGMENTATIONS)
    )
    assert torch.equal(alone[:, :2], both[:, :2])
    assert not alone[:, 2].any()


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(WorkloadError, match="There are: flip"):
        augment.check(["flop"])
