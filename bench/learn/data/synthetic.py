"""Random images of any shape: what a study of speed needs, and nothing it has to wait for."""

import torch
from torch import Tensor


def images(shape: tuple[int, int, int], classes: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """So many random images with random labels, the same for one seed.

    Never zeros: on some chips arithmetic with zeros draws less power and runs measurably faster.
    """
    rng = torch.Generator().manual_seed(seed)
    made = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=rng)
    return made, torch.randint(0, classes, (count,), generator=rng)
