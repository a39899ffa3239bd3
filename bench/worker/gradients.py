"""Do N ranks compute what one device does? Their averaged gradient is compared with the mean of each rank's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.learn import rng
from bench.learn.batches import Batch
from bench.learn.copying import aside, copy_of
from bench.worker.group import Group, NotProvenError, agreed
from bench.worker.session import synchronised
from bench.worker.train import Trainer

SAME = 0.01  # relative; TF32 rounds to a tenth of it, a wrong divisor is off by a third at least
BY_RANK = "rank"  # a rank's model alone computes another gradient of the same samples than rank 0's
BY_WRAPPER = "wrapper"  # alone they all compute the same; what the wrapper makes of it is another
_SAMPLES = 4  # of each rank: enough for every weight to have a gradient, few enough to be sent to every rank
_NEGLIGIBLE = 1e-6  # of the largest gradient of all: below it a tensor is rounding, and so is its relative error

Gradients = list[Tensor | None]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What came of the comparison."""

    error: float  # the largest of all ranks
    cause: str | None = None  # BY_RANK or BY_WRAPPER, where the error is more than rounding


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Forward and backward passes as training makes them, of copies, each from a seed of its own."""

    trainer: Trainer
    unwrapped: nn.Module
    shards: Sequence[Batch]  # a few samples of every rank

    def unsynchronised(self, ranks: Sequence[int], *, passes: int = 1) -> Gradients:
        """Without any wrapper: the mean over these ranks' samples, each with a fresh copy; of the last pass only."""
        total: Gradients = []
        for rank in ranks:
            copied = copy_of(self.unwrapped)
            for _ in range(passes):
                found = self.one(copied, copied, rank)
            total = found if not total else [_sum(*pair) for pair in zip(total, found, strict=True)]
            self.trainer.heart.beat(rank)  # a long comparison must not look like a hang
        return [None if each is None else each / len(ranks) for each in total]

    def one(self, called: nn.Module, copied: nn.Module, rank: int) -> Gradients:
        """Of a copy, called through its wrapper where it has one. By `backward()`: re-entrant code knows no other."""
        trainer, (images, labels, *_) = self.trainer, self.shards[rank]
        copied.zero_grad(set_to_none=True)
        called.train()
        rng.seed(1 + rank)
        with trainer.autocast():
            loss = trainer.loss(called(images.to(trainer.device)), labels.to(trainer.device))
        trainer.scaler.scale(loss).backward()
        found = [each.grad for each in synchronised(copied).values()]
        return [None if each is None else (each.to_dense() if each.is_sparse else each.clone()) for each in found]


class _Listening(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hears whether a model talks to the other ranks (SyncBatchNorm, a collective of its own)."""

    heard = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.heard = self.heard or "c10d" in func.namespace
        return func(*args, **(kwargs or {}))


def compare(trainer: Trainer, unwrapped: nn.Module, batch: Batch, wrap: Callable[[nn.Module], nn.Module]) -> Compared:
    """On all ranks, in training mode, from the same random numbers, of copies: the model and its wrapper are untouched.

    Every rank computes every rank's samples alone; so a model that talks to the other ranks finds them there, and one
    that depends on its rank is seen to. Batch statistics are then those of one rank's samples on both sides.

    Raises:
        NotProvenError: equality is not defined for this model, or could not be seen; with the reason.
    """
    group = trainer.group
    images, labels = (each[:_SAMPLES].cpu() for each in batch[:2])
    trial = _Trial(trainer=trainer, unwrapped=unwrapped, shards=group.gather((images, labels)))
    if getattr(trainer.model, "broadcast_buffers", False):
        group.share_buffers(unwrapped)  # as the wrapper does before each forward
    with aside(trainer.device):
        listening = _Listening()  # type: ignore[no-untyped-call]
        first = agreed(group, lambda: _heard(listening, trial))
        if any(group.gather(listening.heard)):
            raise NotProvenError("its forward exchanges values with the other ranks, so no device computes it alone")
        noise = _largest(group, first, agreed(group, lambda: trial.unsynchronised([0])))
        if noise > SAME:
            raise NotProvenError(
                f"one device's own gradients of the same samples and seeds differ by {noise:.2g} of themselves"
            )
        single = agreed(group, lambda: trial.unsynchronised(range(group.world_size)))
        averaged = agreed(group, lambda: _through(wrap, trial, group.rank))
        error = _largest(group, averaged, single)
        return Compared(error=error, cause=_cause(trial, first, single, group) if error > SAME else None)


def _heard(listening: _Listening, trial: _Trial) -> Gradients:
    with listening:
        return trial.unsynchronised([0])


def _through(wrap: Callable[[nn.Module], nn.Module], trial: _Trial, rank: int) -> Gradients:
    copied = copy_of(trial.unwrapped)
    return trial.one(wrap(copied), copied, rank)


def _cause(trial: _Trial, first: Gradients, single: Gradients, group: Group) -> str:
    """What is shown to differ.

    Raises:
        NotProvenError: the model changes by itself, so that nothing is shown.
    """
    if max(_largest(group, mine, _of_rank_0(trial, mine, group)) for mine in (first, single)) <= SAME:
        return BY_WRAPPER
    if _largest(group, first, agreed(group, lambda: trial.unsynchronised([0], passes=2))) > SAME:
        raise NotProvenError(
            "the model changes with each forward (a generator, a counter or statistics of its own), "
            "and not alike on all ranks"
        )
    return BY_RANK


def _largest(group: Group, ours: Gradients, theirs: Gradients) -> float:
    """The relative error of the rank where it is largest.

    Raises:
        NotProvenError: a gradient is not finite.
    """
    errors = group.gather(relative_error(ours, theirs))
    if None in errors:
        raise NotProvenError("a gradient is not finite")
    return float(max(errors))


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one + other


def _of_rank_0(trial: _Trial, gradients: Gradients, group: Group) -> Gradients:
    """What rank 0 has in their place: sent tensor by tensor, so that there is one more in memory at a time."""
    return [
        group.share((torch.zeros_like(weight) if each is None else each).cpu()).to(weight.device)
        for each, weight in zip(gradients, synchronised(trial.unwrapped).values(), strict=True)
    ]


def relative_error(averaged: Sequence[Tensor | None], single: Sequence[Tensor | None]) -> float | None:
    """The maximum over tensors of max|a-b| / max|b|; None when a value is not finite.

    A tensor that only one side has a gradient for differs wholly. What is a millionth of the largest gradient counts
    as no larger than that.
    """
    largest = max((float(each.abs().max()) for each in single if each is not None), default=0.0)
    errors = [0.0]
    for ours, theirs in zip(averaged, single, strict=True):
        if ours is None and theirs is None:
            continue
        if ours is None or theirs is None:
            present = ours if theirs is None else theirs
            errors.append(0.0 if present is None or not present.any() else 1.0)
            continue
        scale = max(float(theirs.abs().max()), _NEGLIGIBLE * largest)
        difference = float((ours - theirs).abs().max())
        errors.append(difference / scale if scale else float(difference > 0))
    error = float(torch.tensor(errors, dtype=torch.float64).max())
    return error if torch.isfinite(torch.tensor(error)) else None
