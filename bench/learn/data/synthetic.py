"""Random images of any shape: what a study of speed needs, and nothing it has to wait for."""

import torch

from bench.learn import WorkloadError
from bench.learn.data.dataset import DataSet, Request
from bench.learn.naming import named


@named("synthetic")
def synthetic(request: Request) -> DataSet:
    """`size` random images (default 3x32x32) with random labels (default 10 classes), the same for one seed.

    Never zeros: on some chips arithmetic with zeros draws less power and runs measurably faster.

    Raises:
        WorkloadError: a shape or number of classes that nothing can be made of.
    """
    shape = request.input_shape or (3, 32, 32)
    classes = request.classes or 10
    if min(shape) < 1 or classes < 2:
        raise WorkloadError(f"Nothing can be trained on shape {shape} with {classes} classes.", "Give positive sizes.")
    dice = torch.Generator().manual_seed(request.seed)
    sides = "x".join(map(str, shape))
    return DataSet(
        name=request.name,
        train_images=torch.randint(0, 256, (request.size, *shape), dtype=torch.uint8, generator=dice),
        train_labels=torch.randint(0, classes, (request.size,), generator=dice),
        test_images=None,
        test_labels=None,
        class_names=tuple(str(label) for label in range(classes)),
        mean=(0.5,) * shape[0],  # of uniform noise on 0..1
        std=(12**-0.5,) * shape[0],
        described=f"synthetic: {request.size:,} random images of {sides} in {classes} classes, again and again",
    )
