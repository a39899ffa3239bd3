"""Augmentation, drawn for each sample by itself: one draw for a whole batch would be a much weaker one.

torchvision's transforms draw once for a whole batch, and its functional pieces take one number for all samples; hence
each has a form of its own here that takes a number a sample. The arithmetic is torchvision's, and tested against it.
Draws are made on the CPU for a whole epoch, by place in its order, so they do not depend on the number of ranks.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bench.learn.catalogue import AFFINE, CROP, CUTOUT, FLIP, HUE, JITTER, Augmentation

PADDING = 4  # pixels of black on each side before the crop
WHITE = 255.0
_GREY = (0.2989, 0.587, 0.114)  # weights of ITU-R BT.601, as torchvision has them
_DRAWS = {AFFINE: 4, JITTER: 3, HUE: 2, CUTOUT: 2}  # numbers a sample


def draw(count: int, names: Sequence[str], rng: torch.Generator) -> Tensor:
    """Parameters of `count` samples, int64 [count, 3]: rows and columns of shift (0..2 PADDING), mirrored or not.

    Every column is always drawn, so that asking for a flip does not change the crops.
    """
    shift = torch.randint(0, 2 * PADDING + 1, (count, 2), generator=rng)
    mirror = torch.randint(0, 2, (count, 1), generator=rng)
    return torch.cat([shift if CROP in names else torch.full_like(shift, PADDING), mirror * (FLIP in names)], dim=1)


def draw_numbers(count: int, name: str, rng: torch.Generator) -> Tensor:
    """Numbers of `count` samples for another augmentation, float32 [count, how many it takes], even over -1..1."""
    return torch.rand(count, _DRAWS[name], generator=rng, dtype=torch.float32) * 2 - 1


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


def change(images: Tensor, what: Augmentation, drawn: Tensor) -> Tensor:
    """One of affine, jitter and hue: pixels 0..255, [n, channels, height, width], in and, as float32, out.

    Args:
        images: any dtype.
        what: which, and how strong.
        drawn: of `draw_numbers`, one row for each image.
    """
    pixels, numbers = images.float(), drawn * what.strength
    if what.name == AFFINE:
        return _moved(pixels, numbers)
    if what.name == JITTER:
        return _jittered(pixels, 1 + numbers)
    return _hued(pixels, numbers[:, 0], 1 + numbers[:, 1])


def cut(images: Tensor, side: int, drawn: Tensor) -> Tensor:
    """Set a square of `side` pixels to zero, the mean of normalised images; in place.

    Its centre is anywhere in the image, so part of it may lie outside (DeVries and Taylor, 2017, arXiv:1708.04552).
    """
    height, width = images.shape[-2:]
    top, left = ((drawn[:, axis] + 1) / 2 * size for axis, size in enumerate((height, width)))
    rows, columns = (torch.arange(size, device=images.device) for size in (height, width))
    inside = _within(rows, top, side)[:, :, None] & _within(columns, left, side)[:, None, :]
    return images.masked_fill_(inside[:, None], 0.0)


def _within(places: Tensor, centre: Tensor, side: int) -> Tensor:
    """Bool [n, places]: the `side` places around each centre."""
    first = centre.floor().long() - side // 2
    return (places >= first[:, None]) & (places < first[:, None] + side)


def _moved(pixels: Tensor, numbers: Tensor) -> Tensor:
    """Shifted by up to a share of the side, scaled by 1 plus or minus it, turned by up to it of half a turn.

    Bilinear, with black around. torchvision's `affine` takes one matrix for all images.
    """
    height, width = pixels.shape[-2:]
    down, right, larger, turn = numbers.unbind(1)
    cosine, sine = torch.cos(turn * torch.pi) / (1 + larger), torch.sin(turn * torch.pi) / (1 + larger)
    # From where each pixel comes, in coordinates that run from -1 to 1 on both axes; a turn keeps the pixels' shape.
    across = torch.stack([cosine, sine * height / width, -2 * right], 1)
    along = torch.stack([-sine * width / height, cosine, -2 * down], 1)
    grid = functional.affine_grid(torch.stack([across, along], 1), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def _jittered(pixels: Tensor, factors: Tensor) -> Tensor:
    """Brightness, then contrast, then saturation; one factor a sample for each. Grey images have no saturation.

    torchvision's `adjust_brightness` and its like take one factor for all images.
    """
    brightness, contrast, saturation = (each.view(-1, 1, 1, 1) for each in factors.unbind(1))
    pixels = _blended(pixels, torch.zeros_like(pixels[:, :1]), brightness)
    pixels = _blended(pixels, _grey(pixels).mean((1, 2, 3), keepdim=True), contrast)
    return _blended(pixels, _grey(pixels), saturation) if pixels.shape[1] == len(_GREY) else pixels


def _blended(pixels: Tensor, other: Tensor, share: Tensor) -> Tensor:
    return torch.lerp(other.expand_as(pixels), pixels, share).clamp_(0, WHITE)


def _grey(pixels: Tensor) -> Tensor:
    if pixels.shape[1] != len(_GREY):
        return pixels.mean(1, keepdim=True)
    return sum(weight * pixels[:, channel, None] for channel, weight in enumerate(_GREY))  # type: ignore[return-value]


def _hued(pixels: Tensor, turn: Tensor, saturation: Tensor) -> Tensor:
    """The hue turned by a share of the circle, and the saturation multiplied, in HSV.

    torchvision's `adjust_hue` takes one number for all images.
    """
    red, green, blue = pixels.unbind(1)
    value, least = pixels.amax(1), pixels.amin(1)
    chroma = value - least
    divisor = torch.where(chroma == 0, 1.0, chroma)
    sixth = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sixth = sixth + 6 * turn.view(-1, 1, 1)
    chroma = (chroma * saturation.view(-1, 1, 1)).minimum(value)  # a saturation of 1 is the most there is
    # f(n) = v - c max(0, min(k, 4 - k, 1)) with k = (n + 6 h) mod 6, for n = 5, 3, 1.
    places = torch.stack([(sixth + number).remainder(6) for number in (5, 3, 1)], 1)
    return value[:, None] - chroma[:, None] * places.minimum(4 - places).clamp_(0, 1)
