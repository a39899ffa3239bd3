"""The training loop: one, for every strategy and device, readable top to bottom.

`train_segment` is the only code inside a timed bracket. It contains no synchronisation, no `.item()`, no allocation and
no I/O of ours: the loss is added up on the device and read when the segment is over.
"""

import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import ModuleType

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from bench.devices import StepTimes
from bench.learn import mixing
from bench.learn.averaging import Ema
from bench.learn.batches import Batch
from bench.learn.schedules import Stages
from bench.worker.group import Group
from launchers.heartbeat import Heart

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(kw_only=True)
class Trainer:
    """Everything one rank trains with."""

    model: nn.Module  # wrapped as the strategy asks
    loss: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler | Stages | None
    precision: str
    device: torch.device
    backend: ModuleType  # of bench.devices
    group: Group
    heart: Heart
    classes: int = 0  # of the data; only mixed samples need to know
    clip_norm: float = 0.0  # of all gradients together; 0: not clipped
    ema: Ema | None = None
    scaler: torch.amp.GradScaler = field(init=False)
    first_loss: torch.Tensor | None = field(default=None, init=False)
    last_loss: torch.Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    def autocast(self) -> AbstractContextManager[None]:
        return autocast(self.precision, self.device)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Where a model computes in the precision asked for; its weights stay float32."""
    dtype = _AUTOCAST.get(precision)
    return torch.autocast(device.type, dtype=dtype) if dtype is not None else nullcontext()


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What one bracket of steps left behind."""

    times: StepTimes
    samples: int  # of this rank
    loss_sum: float  # what it was before, and the mean loss of each step; not finite if any step's was not
    correct: int | None  # samples called right while training; None when not counted
    learning_rate: float  # of the last step


def train_segment(
    trainer: Trainer,
    batches: Iterator[Batch],
    steps: int,
    *,
    batch: int,
    phase: str,
    step_ns: int,
    count_correct: bool,
    loss_before: float = 0.0,
) -> Segment:
    """Train `steps` steps between two synchronisations and time each.

    Args:
        trainer: the rank's model, optimizer and device.
        batches: yields at least `steps` batches of `batch` samples, on the device.
        steps: optimizer steps, the same on every rank.
        batch: samples per step of this rank.
        phase: what the heartbeat shows.
        step_ns: rough length of a step, for clocks that close blocks.
        count_correct: also count right answers, as a training run that reports its training accuracy does; of a mixed
            sample the class with the larger share is the right one.
        loss_before: what losses are added to, so that an epoch's sum has the same bits however it is cut into segments.
    """
    device, model, loss_of, optimizer = trainer.device, trainer.model, trainer.loss, trainer.optimizer
    scaler, scheduler, heart, ema = trainer.scaler, trainer.scheduler, trainer.heart, trainer.ema
    clip_norm, weights = trainer.clip_norm, [each for group in optimizer.param_groups for each in group["params"]]
    clock = trainer.backend.clock(device, steps, step_ns)
    loss_sum = torch.full((), loss_before, dtype=torch.float32, device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    loss = loss_sum
    learning_rate = optimizer.param_groups[0]["lr"]
    model.train()
    heart.enter(phase, 0, steps)
    # From here on the collector is left alone: it is part of what a step costs, and of what memory a loop needs.
    gc.collect()
    trainer.backend.synchronize(device)
    trainer.group.barrier(device)

    clock.start()
    for step in range(steps):
        images, labels, *shares = next(batches)
        clock.ready()
        optimizer.zero_grad(set_to_none=True)
        if shares:
            images, labels = mixing.mixed(images, labels, shares[0], trainer.classes)
        with trainer.autocast():
            logits = model(images)
            loss = loss_of(logits, labels)
        if scaler.is_enabled():
            scaler.scale(loss).backward()
            if clip_norm:
                scaler.unscale_(optimizer)
                clip_grad_norm_(weights, clip_norm)
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            if clip_norm:
                clip_grad_norm_(weights, clip_norm)
            optimizer.step()
        if ema is not None:
            ema.update()
        if scheduler is not None:
            learning_rate = optimizer.param_groups[0]["lr"]
            scheduler.step()
        loss_sum += loss.detach()
        if count_correct:
            correct += (logits.detach().argmax(1) == mixing.dominant(labels)).sum()
        if trainer.first_loss is None:
            trainer.first_loss = loss.detach()
        heart.beat(step + 1)
        clock.end()
    times = clock.stop()

    trainer.last_loss = loss.detach()
    return Segment(
        times=times,
        samples=steps * batch,
        loss_sum=loss_sum.item(),
        correct=int(correct.item()) if count_correct else None,
        learning_rate=learning_rate,
    )
