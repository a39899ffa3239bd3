"""Resuming a training: what a checkpoint holds, taken from all ranks and put back into all of them.

Nothing here stands inside a timed segment. After `resume` a rank is, bit for bit, where the one was that was saved: its
weights, its optimizer, its random numbers, its place in the data, and the order in which gradients are summed.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from bench.documents import noun_of
from bench.learn import WorkloadError, rng
from bench.learn.batches import Batch
from bench.plan import Workload
from bench.version import __version__
from bench.worker import checkpoint_compat, checkpoint_file, job
from bench.worker.checkpoint_file import Folder, Place
from bench.worker.session import Session

_STATEFUL = ("optimizer", "scheduler", "scaler", "ema")  # of the trainer, where it has them


@dataclass(kw_only=True)
class Checkpoints:
    """Those of one launch, as each of its ranks lives them; only rank 0 reads and writes files."""

    session: Session
    workload: Workload
    words: Sequence[str] = ()  # which are kept, see `bench.plan.Checkpointing`
    folder: Folder | None = None  # None: none are kept
    start: Path | None = None  # one that the user names, where there is none of this launch's own
    came_from: Place | None = field(default=None, init=False)
    warnings: list[str] = field(default_factory=list, init=False)
    spent_s: float = field(default=0.0, init=False)

    def resume(self, batch: Batch) -> dict[str, Any] | None:
        """Put the newest whole checkpoint of this launch, or else the one to start from, into this rank.

        Args:
            batch: any of this rank's, on its device; it teaches nothing.

        Returns:
            The checkpoint's content; None where there is none, and nothing has changed.

        Raises:
            WorkloadError: on every rank; it is torn, or of another model, data set, recipe or world.
        """
        if self.folder is None and self.start is None:
            return None
        group = self.session.world.group
        found: tuple[Any, ...] = ()
        if group.rank == 0:
            try:
                found = (self._found(), self.warnings)
            except WorkloadError as error:
                found = (error.message, error.hint, error.exit_code)
        found = group.share(found)
        if len(found) == 3:
            raise WorkloadError(*found)
        content: dict[str, Any] | None
        content, self.warnings = found
        if content is None:
            return None
        self._settle_buckets(batch)
        self._restore(content)
        self.came_from = Place(content["epoch"], content["step"])
        return content

    def save(self, place: Place, results: Sequence[job.EpochResult], part: Any = None, loop: Any = None) -> None:
        """Write a checkpoint, if one is to be kept here; every rank must come.

        Args:
            place: how far training has come.
            results: of the whole epochs so far.
            part: what this rank knows of the epoch that is under way; plain values.
            loop: what else changes from epoch to epoch; plain values.

        Raises:
            OSError: the disk does not take it.
        """
        if self.folder is None:
            return
        kept, best = checkpoint_file.kept_epochs(self.words, [each.top1 or 0.0 for each in results])
        if not place.steps and place.epochs not in kept:
            return
        session, trainer, world = self.session, self.session.trainer, self.session.world
        began = time.perf_counter()
        world.heart.enter("saving")
        world.backend.synchronize(world.device)
        ranks = world.group.gather({"rng": rng.state(world.device), "part": part})
        if world.group.rank == 0:
            content = {
                "schema": checkpoint_file.SCHEMA,
                "versions": {"bench": __version__, "torch": str(torch.__version__)},
                "workload": checkpoint_compat.plain(self.workload),
                "configuration": checkpoint_compat.plain(world.configuration),
                "data": checkpoint_compat.data_digest(session.data),
                "epoch": place.epochs,
                "step": place.steps,
                "model": session.unwrapped.state_dict(),
                **{name: _state_of(getattr(trainer, name, None)) for name in _STATEFUL},
                "first_loss": trainer.first_loss,
                "last_loss": trainer.last_loss,
                "results": [asdict(each) for each in results],
                "loop": loop,
                "ranks": ranks,
            }
            self.folder.write(place, content, best=best if "best" in self.words else None, keep=kept)
        world.group.barrier(world.device)
        self.spent_s += time.perf_counter() - began

    def _found(self) -> dict[str, Any] | None:
        """The content to go on from, compared with what is to be trained; None to begin at the start."""
        for place in self.folder.places() if self.folder is not None else ():
            file = self.folder.file(place) if self.folder is not None else Path()
            try:
                content = checkpoint_file.read(file)
            except WorkloadError as error:
                self.warnings.append(f"{error.message.rstrip('.')}; it goes on from an earlier one, or from the start")
                continue
            checkpoint_compat.refuse(file, content, self.workload, self.session.data, self.session.unwrapped)
            self.warnings.append(
                f"it went on from the checkpoint at {place} of an earlier attempt: its throughput is of the steps that "
                "it trained itself, its epochs before are the earlier attempt's"
            )
            return content
        if self.start is None:
            return None
        content = checkpoint_file.read(self.start)
        checkpoint_compat.refuse(self.start, content, self.workload, self.session.data, self.session.unwrapped)
        place = Place(content["epoch"], content["step"])
        if self.workload.epochs is not None and place >= Place(self.workload.epochs):
            raise WorkloadError(
                f"{self.start} has trained {place.epochs} epochs already; {self.workload.epochs} are asked for.",
                f"Ask for more: --epochs {place.epochs + 1}",
            )
        self.warnings.append(
            f"it went on from the checkpoint {self.start.name} at {place}: its throughput is of the steps that it "
            "trained itself, its epochs before are the earlier run's"
        )
        world = self.session.world
        batch = world.configuration.batch_global
        self.warnings += checkpoint_compat.converted(self.start, content, world.group.world_size, batch)
        return content

    def _settle_buckets(self, batch: Batch) -> None:
        """Have DDP arrange its buckets as it does after a first step: how gradients are summed depends on them.

        With three ranks and more the order of a sum is a matter of a gradient's place in its bucket.
        """
        trainer = self.session.trainer
        if not isinstance(trainer.model, DistributedDataParallel):
            return
        trainer.model.train()  # type: ignore[no-untyped-call]
        images, labels, *_ = batch
        with trainer.autocast():
            loss = trainer.loss(trainer.model(images), labels)
        loss.backward()
        trainer.optimizer.zero_grad(set_to_none=True)

    def _restore(self, content: dict[str, Any]) -> None:
        trainer, group = self.session.trainer, self.session.world.group
        self.session.unwrapped.load_state_dict(content["model"])
        for name in _STATEFUL:
            part, state = getattr(trainer, name, None), content.get(name)
            if (part is None) != (state is None):
                raise WorkloadError(f"The checkpoint has {'no' if state is None else 'an'} {name}; this training not.")
            if part is not None:
                part.load_state_dict(state)
        for name in ("first_loss", "last_loss"):
            loss = content[name]
            setattr(trainer, name, loss.to(trainer.device) if loss is not None else None)
        ranks = content["ranks"]
        rng.restore(ranks[group.rank % len(ranks)]["rng"], trainer.device)


def of(asked: job.Job, session: Session) -> Checkpoints:
    """A launch's, as it is asked to keep them."""
    keep = asked.keep
    return Checkpoints(
        session=session,
        workload=asked.workload,
        words=keep.checkpoint,
        folder=Folder(Path(asked.checkpoints)) if asked.checkpoints is not None else None,
        start=Path(keep.start) if keep.start is not None else None,
    )


def part_of(content: dict[str, Any], rank: int) -> Any:
    """What one rank had said of the epoch that was under way; None at the end of an epoch."""
    ranks = content["ranks"]
    return ranks[rank % len(ranks)]["part"] if content["step"] else None


def results_of(content: dict[str, Any]) -> list[job.EpochResult]:
    """The epochs before, as they were measured then."""
    return [noun_of(job.EpochResult, each) for each in content["results"]]


def _state_of(part: Any) -> Any:
    return None if part is None else part.state_dict()
