"""The noun: images and labels, whole and in memory."""

from dataclasses import dataclass

from torch import Tensor

from bench.account import Account
from bench.learn.sources.source import Shape


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
