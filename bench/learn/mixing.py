"""MixUp and CutMix, a share of its own for each sample.

A sample's partner is its neighbour in the epoch's random order: 0 with 1, 2 with 3, and so on. Both are then on one
rank whenever its batch is even, so N ranks mix what one would at the same global batch. The last sample of an odd
batch takes the one before it.
"""

import numpy as np
import torch
from torch import Tensor, nn

from bench.learn import WorkloadError


def draw(count: int, mixup: float, cutmix: float, seed: int) -> Tensor:
    """Parameters of `count` samples, float32 [count, 5]: the share kept of itself, and a box as shares of the sides.

    The share is drawn from Beta(a, a), a being `mixup` or `cutmix`; with both set, a fair coin says which for each
    sample. Without a box (0, 0, 0, 0) the whole image is blended, with one the box comes from the partner: its area
    is what the share leaves, its centre anywhere (Zhang et al., 2018, arXiv:1710.09412; Yun et al., 2019,
    arXiv:1905.04899).
    """
    rng = np.random.default_rng(seed)
    blended = rng.random(count) < (mixup > 0) / ((mixup > 0) + (cutmix > 0))
    alpha = np.where(blended, mixup, cutmix)
    share = rng.beta(alpha, alpha)
    half = np.where(blended, 0.0, np.sqrt(1 - share) / 2)
    centre = rng.random((2, count))
    edges = [np.clip(middle + sign * half, 0, 1) * ~blended for middle in centre for sign in (-1, 1)]
    return torch.from_numpy(np.stack([share, *edges], 1)).float()


def mixed(images: Tensor, labels: Tensor, drawn: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Each image with a part of its partner, and the share of each class in it.

    Args:
        images: [n, channels, height, width], normalised or not; n is at least 2.
        labels: int64 [n].
        drawn: of `draw`, one row for each image.
        classes: how many there are.

    Returns:
        Images as they were given, and float32 [n, classes] whose rows add up to 1.
    """
    count, _, height, width = images.shape
    place = torch.arange(count, device=images.device)
    partner = place ^ 1
    partner = torch.where(partner < count, partner, place - 1)
    share, top, bottom, left, right = drawn.unbind(1)
    inside = _between(height, top, bottom)[:, :, None] & _between(width, left, right)[:, None, :]
    boxed = (bottom > 0)[:, None, None]
    own = torch.where(boxed, (~inside).float(), share[:, None, None])  # of each pixel
    share = own.mean((1, 2))[:, None]  # a box is whole pixels, and may lie partly outside
    each = labels[:, None] == torch.arange(classes, device=images.device)
    targets = share * each + (1 - share) * each.index_select(0, partner)
    return torch.lerp(images, images.index_select(0, partner), 1 - own[:, None].to(images.dtype)), targets


def _between(size: int, first: Tensor, end: Tensor) -> Tensor:
    """Bool [n, size]: the pixels from one share of the side to another."""
    places = torch.arange(size, device=first.device)
    return (places >= (first * size).round()[:, None]) & (places < (end * size).round()[:, None])


def dominant(targets: Tensor) -> Tensor:
    """The class with the largest share, int64 [n]; labels that are one class each are those classes."""
    return targets if targets.ndim == 1 else targets.argmax(1)


def check(loss: nn.Module, batch: int) -> None:
    """Say before training that a loss or a batch cannot be mixed.

    Raises:
        WorkloadError: the loss takes no shares of classes, or a rank has fewer than two samples.
    """
    if batch < 2:
        raise WorkloadError("MixUp and CutMix mix two samples; a rank has 1.", "Use a larger --batch.")
    try:
        loss(torch.zeros(2, 3), torch.full((2, 3), 1 / 3))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise WorkloadError(
            f"MixUp and CutMix need a loss that takes shares of classes; {type(loss).__name__} takes none.",
            "Set mixup and cutmix to 0, or use cross-entropy.",
        ) from error
