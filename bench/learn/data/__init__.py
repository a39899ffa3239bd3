"""A data set as tensors: whole, in memory, on the CPU. What lies on the disk is `bench.learn.sources`' to find."""

from functools import partial

import torch

from bench.learn.data.dataset import DataSet
from bench.learn.data.synthetic import images
from bench.learn.sources import DataRequest, find
from bench.learn.sources.decoded import fault_in
from bench.plan import Workload

__all__ = ["DataSet", "load", "of_workload"]


def load(request: DataRequest, *, seed: int = 0, size: int = 512) -> DataSet:
    """The whole data set, in memory, on the CPU. `size`: how many distinct samples to make up, for synthetic data.

    Raises:
        WorkloadError: no such data set, its files are missing or torn, or they are not what was asked for.
    """
    source = find(request)
    dataset = partial(DataSet, name=request.name, class_names=source.class_names, mean=source.mean, std=source.std)
    shape, classes = "x".join(map(str, source.shape)), f"{len(source.class_names)} classes"
    if source.account is None:
        made, labels = images(source.shape, len(source.class_names), size, seed)
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
