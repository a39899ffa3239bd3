"""The resident pipeline: the data set lies on the device as bytes, and a batch is an index, an augmentation and a cast.

There are no worker processes and no copies from the host in a step. What a rank sees depends on the seed, the epoch
and its place alone: N ranks together see exactly the global batches that one rank would.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import count, cycle

import torch
from torch import Tensor

from bench.learn import WorkloadError, augment
from bench.learn.data.dataset import DataSet

Batch = tuple[Tensor, Tensor]  # images [batch, channels, height, width] in `dtype`; labels int64 [batch]

_PREPARED = 2  # distinct batches of synthetic data that take turns


class Batches:
    """Endless batches of one rank: `for images, labels in Batches(...)`, or one epoch at a time with `epoch(n)`.

    An epoch is a fresh order of the training set; what is left after its last whole global batch is dropped. Synthetic
    data is made ready once and handed out again and again, so that reading it costs nothing.
    """

    def __init__(
        self,
        dataset: DataSet,
        *,
        device: torch.device | str,
        rank: int,
        world_size: int,
        batch_per_rank: int,
        seed: int,
        augmentations: Sequence[str] = (),
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        """Copy the images to the device.

        Raises:
            WorkloadError: an unknown augmentation, or fewer images than one global batch.
        """
        augment.check(augmentations)
        self.device = torch.device(device)
        self.batch_per_rank, self.batch_global = batch_per_rank, batch_per_rank * world_size
        self.synthetic, self.seed, self.augmentations = dataset.synthetic, seed, tuple(augmentations)
        self._size = len(dataset.train_images)
        self._first = rank * batch_per_rank  # this rank's place in every global batch
        self._normalise = Normalise(dataset, self.device, dtype, memory_format)
        if not self.synthetic and self._size < self.batch_global:
            raise WorkloadError(
                f"{dataset.name} has {self._size:,} training images; one global batch is {self.batch_global:,}.",
                "Use a smaller --batch or fewer ranks.",
            )
        self._images = dataset.train_images.to(self.device)
        self._labels = dataset.train_labels.to(self.device)
        self._prepared = [self._ready(step) for step in range(_PREPARED)] if self.synthetic else []

    @property
    def steps_per_epoch(self) -> int | None:
        """Whole global batches in the training set; None for synthetic data, which has no epochs."""
        return None if self.synthetic else self._size // self.batch_global

    @property
    def samples_per_epoch(self) -> int | None:
        """Samples that all ranks together train on in an epoch; None for synthetic data."""
        return None if self.synthetic else self._size // self.batch_global * self.batch_global

    def __iter__(self) -> Iterator[Batch]:
        """Batches without end: epoch after epoch."""
        if self.synthetic:
            yield from cycle(self._prepared)
        for number in count():
            yield from self.epoch(number)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """This rank's share of each global batch of epoch `number`, in order, from step `first` on.

        Raises:
            WorkloadError: the data is synthetic.
        """
        if self.steps_per_epoch is None:
            raise WorkloadError("Synthetic data has no epochs.", "Use --steps or --seconds, or real --data.")
        dice = torch.Generator().manual_seed(_mixed(self.seed, number))
        order = torch.randperm(self._size, generator=dice)
        # Drawn for the whole epoch at once, by place in the order: independent of the ranks, and one copy an epoch.
        drawn = augment.draw(self._size, self.augmentations, dice) if self.augmentations else None
        order = self._sent(order)
        drawn = self._sent(drawn) if drawn is not None else None
        for step in range(first, self.steps_per_epoch):
            start = step * self.batch_global + self._first
            chosen = order[start : start + self.batch_per_rank]
            images = self._images.index_select(0, chosen)
            if drawn is not None:
                images = augment.apply(images, drawn[start : start + self.batch_per_rank])
            yield self._normalise(images), self._labels.index_select(0, chosen)

    def _ready(self, step: int) -> Batch:
        """A batch of synthetic data; it starts again at the first sample when they run out."""
        start = step * self.batch_global + self._first
        chosen = torch.arange(start, start + self.batch_per_rank, device=self.device) % self._size
        return self._normalise(self._images.index_select(0, chosen)), self._labels.index_select(0, chosen)

    def _sent(self, tensor: Tensor) -> Tensor:
        """To the device, without waiting for the steps already queued there."""
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


class Normalise:
    """Bytes to numbers: (pixel / 255 - mean) / std per channel, in the dtype and memory format of the model."""

    def __init__(
        self, dataset: DataSet, device: torch.device, dtype: torch.dtype, memory_format: torch.memory_format
    ) -> None:
        mean, std = torch.tensor(dataset.mean).view(-1, 1, 1), torch.tensor(dataset.std).view(-1, 1, 1)
        self.scale, self.shift = (1 / (255 * std)).to(device), (-mean / std).to(device)
        self.dtype, self.memory_format = dtype, memory_format

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [batch, channels, height, width] to `dtype`; arranged while a pixel is still one byte."""
        arranged = images.contiguous(memory_format=self.memory_format)
        return (arranged * self.scale).add_(self.shift).to(self.dtype)


def _mixed(*numbers: int) -> int:
    """One seed of several: near seeds and epochs must not give near or equal streams, as their sum would."""
    return int.from_bytes(blake2b(repr(numbers).encode(), digest_size=8).digest(), signed=True)
