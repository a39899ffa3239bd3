"""A data set as tensors: whole, in memory, on the CPU. What lies on the disk is `bench.learn.sources`' to find."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from bench.account import Account
from bench.learn.sources import DataRequest, find
from bench.learn.sources.decoded import fault_in
from bench.learn.sources.source import Shape
from bench.plan import Workload


@dataclass(frozen=True, eq=False)
class DataSet:
    """Training and test images as they are stored: unnormalised, not augmented, on the CPU."""

    name: str
    train_images: Tensor  # uint8 [n, channels, height, width]
    train_labels: Tensor  # int64 [n]
    test_images: Tensor | None  # None: there is nothing to evaluate on (synthetic data)
    test_labels: Tensor | None
    class_names: tuple[str, ...]
    mean: tuple[float, ...]  # per channel, of pixels as 0..1
    std: tuple[float, ...]
    described: str  # one line: how many, what shape, from where
    account: Account | None = None  # of what lies on the disk
    digest: str | None = None  # of pictures, labels and classes; None: made up

    @property
    def synthetic(self) -> bool:
        """Random images that stand in for data: no epochs, no accuracy."""
        return self.test_images is None

    @property
    def input_shape(self) -> Shape:
        """Channels, height, width."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


def load(request: DataRequest, *, seed: int = 0, size: int = 512) -> DataSet:
    """The whole data set, in memory, on the CPU. `size`: how many distinct samples to make up, for synthetic data.

    Raises:
        WorkloadError: no such data set, its files are missing or torn, or they are not what was asked for.
    """
    source = find(request)
    dataset = partial(DataSet, name=request.name, class_names=source.class_names, mean=source.mean, std=source.std)
    shape, classes = "x".join(map(str, source.shape)), f"{len(source.class_names)} classes"
    if source.account is None:
        made, labels = _random(source.shape, len(source.class_names), size, seed)
        described = f"{request.name}: {size:,} random images of {shape} in {classes}, again and again"
        return dataset(train_images=made, train_labels=labels, test_images=None, test_labels=None, described=described)
    arrays = source.arrays()
    training, validation = arrays.training, arrays.validation
    for part in (training, validation):
        fault_in(part.images)
    counted = f"{len(training.labels):,} training and {len(validation.labels):,} test images of {shape}"
    return dataset(
        train_images=torch.from_numpy(training.images),
        train_labels=torch.from_numpy(training.labels),
        test_images=torch.from_numpy(validation.images),
        test_labels=torch.from_numpy(validation.labels),
        described=f"{request.name}: {counted} in {classes}, from {source.place}",
        account=arrays.account,
        digest=arrays.digest,
    )


def of_workload(workload: Workload, batch_global: int) -> DataSet:
    """The data that a launch trains on. Raises as `load` does."""
    request = DataRequest(
        name=workload.data,
        folder=workload.data_dir,
        input_shape=workload.input_shape,
        classes=workload.classes,
        mean=workload.mean,
        std=workload.std,
        allow_empty_classes=workload.allow_empty_classes,
    )
    return load(request, seed=workload.seed, size=2 * batch_global)


def _random(shape: tuple[int, int, int], classes: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """So many random images with random labels, the same for one seed.

    Never zeros: on some chips arithmetic with zeros draws less power and runs measurably faster.
    """
    rng = torch.Generator().manual_seed(seed)
    made = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=rng)
    return made, torch.randint(0, classes, (count,), generator=rng)
