"""Exact evaluation: every test image is counted once, whatever the number of ranks, and counts are whole numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DataParallel, DistributedDataParallel

from bench.learn import WorkloadError
from bench.learn.batches import Normalise
from bench.learn.data import DataSet

_TOP5_FROM = 6  # with five classes or fewer the label is always among the first five


@dataclass(frozen=True, eq=False)
class Counts:
    """What was seen on some part of the test set. Parts add up."""

    confusion: Tensor  # int64 [classes, classes]: rows are what it is, columns what it was called
    top5_hits: int  # 0 with fewer than six classes
    loss_sum: float

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.confusion + other.confusion, self.top5_hits + other.top5_hits, self.loss_sum + other.loss_sum
        )

    def to_tensor(self) -> Tensor:
        """float64 [classes^2 + 2] on the CPU, to be summed over the ranks; whole numbers are exact up to 2^53."""
        rest = torch.tensor([self.top5_hits, self.loss_sum], dtype=torch.float64)
        return torch.cat([self.confusion.flatten().double(), rest])

    @staticmethod
    def from_tensor(tensor: Tensor) -> "Counts":
        """The inverse of `to_tensor`."""
        numbers = tensor.cpu()
        classes = round((len(numbers) - 2) ** 0.5)
        return Counts(numbers[:-2].long().view(classes, classes), int(numbers[-2]), float(numbers[-1]))


@dataclass(frozen=True, kw_only=True)
class PerClass:
    """One class. None: not defined, because nothing was divided by nothing."""

    support: int
    precision: float | None  # right among those called so
    recall: float | None  # right among those that are
    f1: float | None  # harmonic mean of both; 0 of a class that was never called


def shard(size: int, rank: int, world_size: int) -> range:
    """This rank's run of neighbours: all runs together cover 0..size once, without padding, even to within one."""
    return range(rank * size // world_size, (rank + 1) * size // world_size)


def evaluate(
    model: nn.Module,
    dataset: DataSet,
    *,
    device: torch.device | str,
    rank: int = 0,
    world_size: int = 1,
    batch: int = 256,
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    beat: Callable[[int], None] | None = None,
) -> Counts:
    """Counts of this rank's part of the test set. Not collective: sum the ranks' counts afterwards.

    A wrapped model is used without its wrapper, which would talk to the other ranks, and those may have more batches.
    So the running statistics of batch norm must be equal on all ranks already. Precision is the caller's autocast.
    `beat` is told how many images are done: a long evaluation must not look like a hang.

    Raises:
        WorkloadError: the data set has no test images.
    """
    if dataset.test_images is None or dataset.test_labels is None:
        raise WorkloadError(f"{dataset.name} has no test images.", "Accuracy needs real --data.")
    bare = model.module if isinstance(model, DistributedDataParallel | DataParallel) else model
    device = torch.device(device)
    normalise = Normalise(dataset, device, dtype, memory_format)
    part = shard(len(dataset.test_images), rank, world_size)
    confusion = torch.zeros(dataset.classes**2, dtype=torch.int64)
    top5_hits, loss_sum = 0, 0.0
    was_training = bare.training
    bare.eval()
    try:
        with torch.inference_mode():
            for start in range(part.start, part.stop, batch):
                stop = min(start + batch, part.stop)
                if beat is not None:
                    beat(start - part.start)
                labels = dataset.test_labels[start:stop]
                logits = bare(normalise(dataset.test_images[start:stop].to(device))).cpu().double()
                confusion += torch.bincount(labels * dataset.classes + logits.argmax(1), minlength=len(confusion))
                if dataset.classes >= _TOP5_FROM:
                    top5_hits += int((logits.topk(5).indices == labels[:, None]).sum())
                loss_sum += float(functional.cross_entropy(logits, labels, reduction="sum"))
    finally:
        bare.train(was_training)
    return Counts(confusion.view(dataset.classes, dataset.classes), top5_hits, loss_sum)


def samples(counts: Counts) -> int:
    """Images counted."""
    return int(counts.confusion.sum())


def top1(counts: Counts) -> float | None:
    """Share called by its right name; None when nothing was counted."""
    return _share(int(counts.confusion.trace()), samples(counts))


def top5(counts: Counts) -> float | None:
    """Share with the right name among the first five; None with fewer than six classes, or nothing counted."""
    return _share(counts.top5_hits, samples(counts)) if len(counts.confusion) >= _TOP5_FROM else None


def mean_loss(counts: Counts) -> float | None:
    """Mean cross-entropy in nats, without label smoothing; None when nothing was counted."""
    total = samples(counts)
    return counts.loss_sum / total if total else None


def per_class(counts: Counts) -> tuple[PerClass, ...]:
    """Precision, recall and F1 of each class, in order of labels."""
    right, are, called = (each.tolist() for each in (counts.confusion.diag(), *map(counts.confusion.sum, (1, 0))))
    scores = []
    for hits, support, calls in zip(right, are, called, strict=True):
        precision, recall = _share(hits, calls), _share(hits, support)
        # 2 P R / (P + R) = 2 hits / (support + calls), which is also right when both are 0, or none was called so
        f1 = 2 * hits / (support + calls) if support else None
        scores.append(PerClass(support=support, precision=precision, recall=recall, f1=f1))
    return tuple(scores)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
