"""The steps of a repro run, readable top to bottom: train in deterministic mode, write down what is seen.

The loop is its own, since hashing every step never belongs in a timed window; all that it trains is put together as for
a measured rank. No clock is read here.
"""

import os
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from bench.learn import evaluate as evaluation
from bench.learn import mixing
from bench.repro import capsule
from bench.repro.capsule import Fact, Part, ReproRun
from bench.worker import bootstrap, group
from bench.worker import session as sessions
from bench.worker.group import World
from bench.worker.repro import perturb, tensor_digest
from bench.worker.session import Session


def join(rank: bootstrap.Rank, asked: ReproRun) -> World:
    """Take the device, the threads and the deterministic mode, and form the group.

    Raises:
        WorldMismatchError: the ranks that met are not those that were asked for.
    """
    precision = asked.workload.precision
    # Nothing is timed, so ranks may share a device.
    world = group.join(rank, asked.configuration, precision, launch_id="repro", oversubscribed=True)
    be_deterministic(world.device.type)
    return world


def be_deterministic(device: str) -> None:
    """Have torch refuse what it cannot repeat. Slower, so never for a run whose speed counts.

    What must stand before torch is imported (CUBLAS_WORKSPACE_CONFIG and the like) is set by who starts the rank.
    """
    # On MPS torch refuses even the backward pass of max-pooling; there its warnings are kept instead.
    torch.use_deterministic_algorithms(True, warn_only=device == "mps")
    torch.backends.cudnn.benchmark = False


def trace(asked: ReproRun, world: World) -> Part:
    """Train the workload's steps and write down what is seen.

    Raises:
        WorkloadError: the model or the data cannot be had.
        RuntimeError: an operation of the model has no deterministic form on this device.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        seen = _begin(asked, world)
        _train(seen)
    session = seen.session
    return Part(
        rank=world.group.rank,
        conditions=conditions(world, session.trainer.model),
        facts=tuple(seen.facts),
        losses=tuple(seen.losses),
        warnings=tuple(sorted({str(each.message).splitlines()[0] for each in heard if _of_torch(each)})),
        nudge=seen.nudge,
        top1=_top1(session) if asked.evaluate else None,
    )


@dataclass(frozen=True, kw_only=True)
class _Trace:
    """One rank's run, and what it has seen so far."""

    asked: ReproRun
    session: Session  # its batches have each sample's index in the place of its label
    labels: Tensor  # by index
    nudge: str | None
    facts: list[Fact] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    def note_weights(self, stage: str, made: int) -> None:
        """Of the model after so many steps, and of the random numbers that follow."""
        self.facts.extend(tensor_digest.parameters(stage, made, self.session.unwrapped, self.asked.sample))
        self.facts.append(tensor_digest.fact(capsule.RANDOM, made, "cpu", torch.get_rng_state()))

    def note_batch(self, step: int, images: Tensor, indices: Tensor) -> None:
        chosen = indices.cpu()
        for stage, name, tensor in (
            (capsule.INDICES, "samples", chosen),
            (capsule.RAW, "images", self.session.data.train_images[chosen]),
            (capsule.AUGMENTED, "images", images),
        ):
            self.facts.append(tensor_digest.fact(stage, step, name, tensor))


def _begin(asked: ReproRun, world: World) -> _Trace:
    """As a measured rank, with two differences.

    The pipeline itself is asked which samples it takes: what it says cannot differ from what it does. And a user's
    model sees its first batch on the CPU, so that weights which it makes then are equal on every device.
    """
    data, model = sessions.load(world, asked.workload)
    session = sessions.prepare(
        world,
        asked.workload,
        replace(data, train_labels=torch.arange(len(data.train_images))),
        model,
        tried_on=torch.device("cpu"),
        schedule_steps=asked.workload.steps,
    )
    nudge = perturb.nudge(session.unwrapped, asked.nudged) if asked.nudged is not None else None
    if asked.other_kernels is not None:
        own = asked.other_kernels * world.group.world_size + world.group.rank
        nudge = perturb.round_otherwise(session.unwrapped, own)
    return _Trace(asked=asked, session=session, labels=data.train_labels.to(world.device), nudge=nudge)


def _train(seen: _Trace) -> None:
    """All the steps, each one's facts after it."""
    asked, session, trainer, heart = seen.asked, seen.session, seen.session.trainer, seen.session.world.heart
    model, most, steps = session.unwrapped, asked.sample, asked.workload.steps or 0
    seen.note_weights(capsule.INIT, 0)
    trainer.model.train()
    if asked.still:
        keep_still(model)
    heart.enter("window", 0, steps)
    batches = iter(session.batches)
    for step in range(steps):
        images, indices, *shares = next(batches)
        labels = seen.labels[indices]
        if shares:
            images, labels = mixing.mixed(images, labels, shares[0], trainer.classes)
        if asked.backwards:
            images, indices, labels = images.flip(0), indices.flip(0), labels.flip(0)
        if step < capsule.FIRST_BATCHES:
            seen.note_batch(step, images, indices)
        trainer.optimizer.zero_grad(set_to_none=True)
        with tensor_digest.watched(model, seen.facts.append, most) if step == 0 else nullcontext():
            with trainer.autocast():
                loss = trainer.loss(trainer.model(images), labels)
            trainer.scaler.scale(loss).backward()
        if step == 0 and session.world.group.joined:
            seen.facts.extend(tensor_digest.gradients(capsule.REDUCED, model, most))
        if trainer.clip_norm:
            trainer.scaler.unscale_(trainer.optimizer)
            clip_grad_norm_(model.parameters(), trainer.clip_norm)
        trainer.scaler.step(trainer.optimizer)
        trainer.scaler.update()
        if trainer.scheduler is not None:
            trainer.scheduler.step()
        seen.losses.append(float(loss.detach()).hex())
        if (made := step + 1) & step == 0 or made == steps:  # 1, 2, 4, 8, … and the last
            seen.note_weights(capsule.WEIGHTS, made)
        heart.beat(made)
    heart.enter("finishing")


def _top1(session: Session) -> float | None:
    with session.trainer.autocast():
        counts = evaluation.evaluate(
            session.unwrapped,
            session.data,
            device=session.world.device,
            memory_format=session.memory_format,
            beat=session.world.heart.beat,
        )
    return evaluation.top1(counts)


def keep_still(model: nn.Module) -> None:
    """Freeze what makes N ranks compute something else than one: statistics of a rank's own batch, and chance."""
    for module in model.modules():
        if isinstance(module, _BatchNorm | _DropoutNd):
            module.eval()


def conditions(world: World, model: nn.Module) -> dict[str, Any]:
    """What may change numbers, as plain JSON types."""
    versions: dict[str, Any] = {"torch": str(torch.__version__)}
    if world.device.type == "cuda":
        versions |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}  # type: ignore[no-untyped-call]
    buckets = None
    if isinstance(model, DistributedDataParallel):
        logged = model._get_ddp_logging_data()  # type: ignore[no-untyped-call]  # noqa: SLF001 - meant to be logged
        buckets = {name: logged.get(name) for name in ("bucket_sizes", "rebuilt_bucket_sizes")}
    return {
        "device": world.device.type,
        "device_name": world.backend.name(world.device),
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": versions,
        "variables": {name: os.environ[name] for name in capsule.VARIABLES if name in os.environ},
        "world_size": world.group.world_size,
        "backend": world.group.backend,
        "buckets": buckets,
    }


def _of_torch(heard: warnings.WarningMessage) -> bool:
    return "determinis" in str(heard.message)
