"""A data set as tensors: whole, in memory, on the CPU. What lies on the disk is `bench.learn.sources`' to find."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from bench.learn.data.dataset import DataSet
from bench.learn.data.synthetic import images
from bench.learn.sources import DataRequest, find
from bench.learn.sources.decoded import fault_in
from bench.learn.sources.source import Shape
from bench.plan import Workload

__all__ = ["DataSet", "load", "of_workload"]


def load(
    name: str,
    folder: str | Path | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    seed: int = 0,
    *,
    size: int = 512,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    allow_empty_classes: bool = False,
) -> DataSet:
    """The whole data set, in memory, on the CPU. `size`: how many distinct samples to make up, for synthetic data.

    `mean` and `std` take the place of the data set's own.

    Raises:
        WorkloadError: no such data set, its files are missing or torn, or they are not what was asked for.
    """
    request = DataRequest(
        name=name,
        folder=str(folder) if folder is not None else None,
        input_shape=input_shape,
        classes=classes,
        mean=mean,
        std=std,
        allow_empty_classes=allow_empty_classes,
    )
    source = find(request)
    source = replace(
        source,
        mean=source.mean if mean is None else tuple(mean),
        std=source.std if std is None else tuple(std),
    )
    size_text = "x".join(map(str, source.shape))
    if source.account is None:
        made, labels = images(source.shape, len(source.class_names), size, seed)
        counted = f"{size:,} random images of {size_text} in {len(source.class_names)} classes, again and again"
        return DataSet(
            name=name,
            train_images=made,
            train_labels=labels,
            test_images=None,
            test_labels=None,
            described=f"{name}: {counted}",
            class_names=source.class_names,
            mean=source.mean,
            std=source.std,
        )
    arrays = source.arrays()
    training, validation = arrays.training, arrays.validation
    for part in (training, validation):
        fault_in(part.images)
    counted = f"{len(training.labels):,} training and {len(validation.labels):,} test images of {size_text}"
    return DataSet(
        name=name,
        train_images=torch.from_numpy(training.images),
        train_labels=torch.from_numpy(training.labels),
        test_images=torch.from_numpy(validation.images),
        test_labels=torch.from_numpy(validation.labels),
        described=f"{name}: {counted} in {len(source.class_names)} classes, from {source.place}",
        account=arrays.account,
        digest=arrays.digest,
        class_names=source.class_names,
        mean=source.mean,
        std=source.std,
    )


def of_workload(workload: Workload, batch_global: int) -> DataSet:
    """The data that a launch trains on. Raises as `load` does."""
    return load(
        workload.data,
        workload.data_dir,
        workload.input_shape,
        workload.classes,
        seed=workload.seed,
        size=2 * batch_global,
        mean=workload.mean,
        std=workload.std,
        allow_empty_classes=workload.allow_empty_classes,
    )
