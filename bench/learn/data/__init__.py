"""A data set by its name.

A data set is one file here. It decorates a function with `named` and is called with a `Request`; nothing else needs to
know of it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.learn import WorkloadError
from bench.learn.catalogue import check_data
from bench.learn.data.dataset import DataSet, Request, Shape
from bench.learn.naming import function

__all__ = ["DataSet", "load"]


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
) -> DataSet:
    """The whole data set, in memory, on the CPU. `size`: how many distinct samples to make up, for synthetic data.

    `mean` and `std` take the place of the data set's own.

    Raises:
        WorkloadError: no such data set, its files are missing or torn, or they are not what was asked for.
    """
    check_data(name)
    request = Request(
        name=name,
        folder=str(folder) if folder is not None else None,
        input_shape=input_shape,
        classes=classes,
        seed=seed,
        size=size,
    )
    dataset: DataSet = function("data", name)(request)
    for key, said in (("mean", mean), ("std", std)):
        if said is not None and len(said) != len(dataset.mean):
            raise WorkloadError(
                f"{key} has {len(said)} numbers; {name} has {len(dataset.mean)} channels.", "Give one for each channel."
            )
    return replace(
        dataset,
        mean=dataset.mean if mean is None else tuple(mean),
        std=dataset.std if std is None else tuple(std),
    )
