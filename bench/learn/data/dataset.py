"""The noun: images and labels, whole and in memory."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from bench.learn import WorkloadError

Shape = tuple[int, int, int]  # channels, height, width


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


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked of a data set; None: the data set's own."""

    name: str
    folder: str | None
    input_shape: Shape | None
    classes: int | None
    seed: int
    size: int  # distinct samples to make, for data that is made up


def described(name: str, train: Tensor, test: Tensor, classes: int, source: str) -> str:
    """`cifar10: 50,000 training and 10,000 test images of 3x32x32 in 10 classes, from …`."""
    shape = "x".join(str(side) for side in train.shape[1:])
    return (
        f"{name}: {len(train):,} training and {len(test):,} test images of {shape} in {classes} classes, from {source}"
    )


def refuse_other_sizes(request: Request, input_shape: Shape, classes: int) -> None:
    """For data sets whose images come in one size.

    Raises:
        WorkloadError: another shape or number of classes was asked for.
    """
    asked: list[tuple[str, Any, Any]] = [
        (
            "--input-shape",
            request.input_shape and ",".join(map(str, request.input_shape)),
            ",".join(map(str, input_shape)),
        ),
        ("--classes", request.classes, classes),
    ]
    for flag, wanted, own in asked:
        if wanted not in (None, own):
            raise WorkloadError(
                f"{request.name} has {flag} {own}, not {wanted}.", f"Leave {flag} away, in a profile too."
            )
