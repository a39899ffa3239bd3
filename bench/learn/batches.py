"""The resident pipeline: the data set lies on the device as bytes, and a batch is an index, an augmentation and a cast.

There are no worker processes and no copies from the host in a step. What a rank sees depends on the seed, the epoch
and its place alone: N ranks together see exactly the global batches that one rank would.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import count, cycle

import torch
from torch import Tensor

from bench.learn import WorkloadError, augment, mixing
from bench.learn.catalogue import CROP, CUTOUT, FLIP, HUE, Augmentation, parse_augmentations
from bench.learn.data import DataSet

# Images [batch, channels, height, width] in `dtype`; labels int64 [batch]; where samples are mixed, their rows of
# `mixing.draw`.
Batch = tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]

_PREPARED = 2  # distinct batches of synthetic data that take turns


class Batches:
    """Endless batches of one rank: `for images, labels in Batches(...)`, or one epoch at a time with `epoch(n)`.

    An epoch is a fresh order of the training set; what is left after its last whole global batch is dropped. Synthetic
    data is made ready once and handed out again and again, so that reading it costs nothing. A model that writes into
    what it is handed (`x.div_(255)`) would train on what its own earlier steps left: once that is seen, each synthetic
    batch is made anew in its step, as those of real data always are.
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
        mixup: float = 0.0,
        cutmix: float = 0.0,
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        """Copy the images to the device.

        Raises:
            WorkloadError: an unknown augmentation, one that these images cannot have, or fewer of them than one global
                batch.
        """
        self._name, self._channels = dataset.name, dataset.input_shape[0]
        self.change(augmentations, mixup, cutmix)
        self.device = torch.device(device)
        self.batch_per_rank, self.batch_global = batch_per_rank, batch_per_rank * world_size
        self.synthetic, self.seed = dataset.synthetic, seed
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
        self.written = False  # the model writes into its batches
        self._prepared = [self._ready(place) for place in range(_PREPARED)] if self.synthetic else []
        self._handed = [0] * _PREPARED  # how often each was, since it was begun to ask for batches
        self._versions = [images._version for images, *_ in self._prepared]  # noqa: SLF001 - documented

    def look_for_writes(self) -> bool:
        """Whether the model writes into its batches; to be asked between two segments, for it compares every number.

        Writes are counted by torch and seen at the next hand-out; one past it (`x.data`, `x.numpy()`) that did not
        happen in the first steps is seen only here.
        """
        if self.synthetic and not self.written:
            self.written = any(map(self._differs, range(_PREPARED)))
        return self.written

    def _handed_out(self, place: int) -> Batch:
        """A prepared batch, with an alias of its images, which alone a model gets to see.

        What else it may do to a tensor (`requires_grad_`, `resize_`) ends with the alias; writes to either are counted
        by torch in one version.
        """
        images, *rest = self._prepared[place]
        self._handed[place] += 1
        if not self.written:  # comparing waits for the device, so it is for the second time alone: a warm-up step
            seen = images._version != self._versions[place]  # noqa: SLF001 - documented, and has no other name
            self.written = seen or (self._handed[place] == 2 and self._differs(place))
        return self._ready(place) if self.written else (images.detach(), *rest)  # type: ignore[return-value]

    def _differs(self, place: int) -> bool:
        return not all(map(torch.equal, self._prepared[place], self._ready(place)))

    def change(
        self, augmentations: Sequence[str] | None = None, mixup: float | None = None, cutmix: float | None = None
    ) -> None:
        """Augment and mix otherwise from the next epoch on; None: as before.

        Raises:
            WorkloadError: an unknown augmentation, or one that these images cannot have.
        """
        if augmentations is not None:
            self.augmentations: tuple[Augmentation, ...] = parse_augmentations(augmentations)
        if mixup is not None:
            self.mixup = mixup
        if cutmix is not None:
            self.cutmix = cutmix
        if self._channels != 3 and any(each.name == HUE for each in self.augmentations):
            raise WorkloadError(f"{self._name} is not in colour, and has no hue.", "Leave hue out of augment.")

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
            self._handed = [0] * _PREPARED
            yield from map(self._handed_out, cycle(range(_PREPARED)))
        for number in count():
            yield from self.epoch(number)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """This rank's share of each global batch of epoch `number`, in order, from step `first` on.

        Raises:
            WorkloadError: the data is synthetic.
        """
        if self.steps_per_epoch is None:
            raise WorkloadError("Synthetic data has no epochs.", "Use --steps or --seconds, or real --data.")
        rng = torch.Generator().manual_seed(_mixed(self.seed, number))
        order = torch.randperm(self._size, generator=rng)
        # Drawn for the whole epoch at once, by place in the order: independent of the ranks, and one copy an epoch.
        names = [each.name for each in self.augmentations]
        drawn = self._sent(augment.draw(self._size, names, rng)) if CROP in names or FLIP in names else None
        others = [(each, self._numbers(each, number)) for each in self.augmentations if each.name not in {CROP, FLIP}]
        shares = self._shares(self._size, number) if self.mixup or self.cutmix else None
        order = self._sent(order)
        for step in range(first, self.steps_per_epoch):
            start = step * self.batch_global + self._first
            stop = start + self.batch_per_rank
            chosen = order[start:stop]
            images = self._images.index_select(0, chosen)
            if drawn is not None:
                images = augment.apply(images, drawn[start:stop])
            images = self._finished(images, [(each, numbers[start:stop]) for each, numbers in others])
            labels = self._labels.index_select(0, chosen)
            yield (images, labels) if shares is None else (images, labels, shares[start:stop])

    def _finished(self, images: Tensor, others: Sequence[tuple[Augmentation, Tensor]]) -> Tensor:
        """Everything but crop and flip, around the normalisation."""
        for each, numbers in others:
            if each.name != CUTOUT:
                images = augment.change(images, each, numbers)
        images = self._normalise(images)
        for each, numbers in others:
            if each.name == CUTOUT:
                images = augment.cut(images, int(each.strength), numbers)
        return images

    def _numbers(self, what: Augmentation, number: int) -> Tensor:
        """For one augmentation, with a generator of its own: asking for another one changes nothing of it."""
        rng = torch.Generator().manual_seed(_mixed(self.seed, number, what.name))
        return self._sent(augment.draw_numbers(self._size, what.name, rng))

    def _shares(self, count: int, number: int) -> Tensor:
        return self._sent(mixing.draw(count, self.mixup, self.cutmix, abs(_mixed(self.seed, number, "mix"))))

    def _ready(self, step: int) -> Batch:
        """A batch of synthetic data, not augmented; it starts again at the first sample when they run out."""
        start = step * self.batch_global + self._first
        chosen = torch.arange(start, start + self.batch_per_rank, device=self.device) % self._size
        images, labels = self._normalise(self._images.index_select(0, chosen)), self._labels.index_select(0, chosen)
        if not self.mixup and not self.cutmix:
            return images, labels
        return images, labels, self._shares(start + self.batch_per_rank, step)[start:]

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
        # In float32 whatever a user's model has made the default.
        mean, std = (torch.tensor(each, dtype=torch.float32).view(-1, 1, 1) for each in (dataset.mean, dataset.std))
        self.scale, self.shift = (1 / (255 * std)).to(device), (-mean / std).to(device)
        self.dtype, self.memory_format = dtype, memory_format

    def __call__(self, images: Tensor) -> Tensor:
        """Pixels 0..255 [batch, channels, height, width] to `dtype`; arranged first, while a pixel may be one byte."""
        arranged = images.contiguous(memory_format=self.memory_format)
        return (arranged * self.scale).add_(self.shift).to(self.dtype)


def _mixed(*numbers: int | str) -> int:
    """One seed of several: near seeds and epochs must not give near or equal streams, as their sum would."""
    return int.from_bytes(blake2b(repr(numbers).encode(), digest_size=8).digest(), signed=True)
