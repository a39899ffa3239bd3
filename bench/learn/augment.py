"""Crop and flip, drawn for each sample by itself: one draw for a whole batch would be a much weaker augmentation."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bench.learn import WorkloadError
from bench.learn.catalogue import suggest

CROP, FLIP = "crop", "flip"
AUGMENTATIONS = (CROP, FLIP)
PADDING = 4  # pixels of black on each side before the crop


def check(names: Sequence[str]) -> None:
    """Refuse what is not an augmentation.

    Raises:
        WorkloadError: an unknown name.
    """
    for name in names:
        if name not in AUGMENTATIONS:
            near = suggest(name, AUGMENTATIONS) or AUGMENTATIONS
            raise WorkloadError(f"There is no augmentation {name!r}.", f"There are: {', '.join(near)}.")


def draw(count: int, names: Sequence[str], dice: torch.Generator) -> Tensor:
    """Parameters of `count` samples, int64 [count, 3]: rows and columns of shift (0..2 PADDING), mirrored or not.

    Every column is always drawn, so that asking for a flip does not change the crops.
    """
    shift = torch.randint(0, 2 * PADDING + 1, (count, 2), generator=dice)
    mirror = torch.randint(0, 2, (count, 1), generator=dice)
    return torch.cat([shift if CROP in names else torch.full_like(shift, PADDING), mirror * (FLIP in names)], dim=1)


def apply(images: Tensor, drawn: Tensor) -> Tensor:
    """Shift and mirror each image by its own row of `drawn`: [n, channels, height, width] in and out, in one gather."""
    count, channels, height, width = images.shape
    padded = functional.pad(images, (PADDING,) * 4)
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    down, right, mirror = drawn.unbind(1)
    row = down[:, None] + rows
    column = right[:, None] + torch.where(mirror[:, None] == 1, width - 1 - columns, columns)
    pixel = (row[:, :, None] * (width + 2 * PADDING) + column[:, None, :]).flatten(1)
    return padded.flatten(2).gather(2, pixel[:, None].expand(-1, channels, -1)).view(count, channels, height, width)
