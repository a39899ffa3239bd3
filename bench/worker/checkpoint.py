"""Resuming a training: what a checkpoint holds, taken from all ranks and put back into all of them.

Nothing here stands inside a timed segment. After `resume` a rank is, bit for bit, where the one was that was saved: its
weights, its optimizer, its random numbers, its place in the data, and the order in which gradients are summed.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bench.documents import noun_of
from bench.learn import WorkloadError, rng
from bench.learn.batches import Batch
from bench.learn.data import DataSet
from bench.plan import Workload
from bench.version import __version__
from bench.worker import checkpoint_file, job
from bench.worker.checkpoint_file import Folder, Place
from bench.worker.session import Session

_STATEFUL = ("optimizer", "scheduler", "scaler", "ema")  # of the trainer, where it has them
# May differ; epochs: see `_differences`.
_NO_MATTER = ("data_dir", "allow_empty_classes", "warmup_steps", "steps", "seconds", "epochs")
_LAID_OUT = ("warmup_epochs", "batch_warmup_epochs", "phases")  # over a run's length, whatever the schedule
_PICTURES = 256  # of the training set, that tell it from another one
_NAMED_AT_MOST = 4


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

    def save(self, place: Place, results: Sequence[job.EpochResult], part: Any = None) -> None:
        """Write a checkpoint, if one is to be kept here; every rank must come.

        Args:
            place: how far training has come.
            results: of the whole epochs so far.
            part: what this rank knows of the epoch that is under way; plain values.

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
                "workload": plain(self.workload),
                "configuration": plain(world.configuration),
                "data": data_digest(session.data),
                "epoch": place.epochs,
                "step": place.steps,
                "model": session.unwrapped.state_dict(),
                **{name: _state_of(getattr(trainer, name, None)) for name in _STATEFUL},
                "first_loss": trainer.first_loss,
                "last_loss": trainer.last_loss,
                "results": [asdict(each) for each in results],
                "loop": None,
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
            refuse(file, content, self.workload, self.session.data, self.session.unwrapped)
            self.warnings.append(
                f"it went on from the checkpoint at {place} of an earlier attempt: its throughput is of the steps that "
                "it trained itself, its epochs before are the earlier attempt's"
            )
            return content
        if self.start is None:
            return None
        content = checkpoint_file.read(self.start)
        refuse(self.start, content, self.workload, self.session.data, self.session.unwrapped)
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
        self.warnings += converted(self.start, content, world.group.world_size, batch)
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


def refuse(file: Path, content: dict[str, Any], workload: Workload, data: DataSet, model: nn.Module) -> None:
    """Refuse a checkpoint of something else.

    Raises:
        WorkloadError: with what differs.
    """
    differences = list(_differences(content["workload"], plain(workload)))
    if differences:
        more = f"; {len(differences) - _NAMED_AT_MOST} more" if len(differences) > _NAMED_AT_MOST else ""
        raise WorkloadError(
            f"{file} is of another training: {'; '.join(differences[:_NAMED_AT_MOST])}{more}.",
            "Ask for what it was trained with, or leave out --from to begin anew.",
        )
    if content["data"] != data_digest(data):
        raise WorkloadError(
            f"{file} was trained on other data than this {data.name}.",
            "Look at --data-dir, or leave out --from to begin anew.",
        )
    theirs, ours = content["model"], model.state_dict()
    if theirs.keys() != ours.keys():
        differing = sorted(theirs.keys() ^ ours.keys())
        raise WorkloadError(
            f"{file} is of another model: {len(differing)} tensors are in one of them only, as {differing[0]}.",
            "Look at --model, or leave out --from to begin anew.",
        )
    for name, tensor in theirs.items():
        if tensor.shape != ours[name].shape:
            raise WorkloadError(
                f"{file} is of another model: its {name} is {list(tensor.shape)}, not {list(ours[name].shape)}.",
                "Look at --model, --input-shape and --classes, or leave out --from to begin anew.",
            )


def converted(file: Path, content: dict[str, Any], ranks: int, batch_global: int) -> list[str]:
    """Take a checkpoint of another number of ranks: at the end of an epoch, for the same global batch, and aloud.

    Returns:
        What is to be said of it; nothing where nothing changes.

    Raises:
        WorkloadError: it cannot be.
    """
    then, was = content["configuration"], len(content["ranks"])
    if then["batch_global"] != batch_global:
        raise WorkloadError(
            f"{file} was trained with a global batch of {then['batch_global']}, asked for are {batch_global}.",
            f"Ask for the same: --scaling strong --batch {then['batch_global']}",
        )
    if was == ranks:
        return []
    if content["step"]:
        raise WorkloadError(
            f"{file} was saved within an epoch by {was} ranks, and cannot be shared out to {ranks}.",
            f"Go on with {was} ranks, or from a checkpoint at the end of an epoch.",
        )
    said = (
        f"the checkpoint is of {was} rank{'s' * (was != 1)}, converted to {ranks}: the same global batches, "
        "weights and optimizer, but other random numbers on a rank (dropout) and another order of sums: not bitwise"
    )
    return [said]


def data_digest(data: DataSet) -> str:
    """What tells a training set from another: its labels, its size, and every so many-th picture."""
    digest = blake2b(f"{data.name} {list(data.train_images.shape)}".encode(), digest_size=16)
    digest.update(data.train_labels.contiguous().numpy().data)
    stride = max(1, len(data.train_images) // _PICTURES)
    digest.update(data.train_images[::stride].contiguous().numpy().data)
    return digest.hexdigest()


def plain(noun: Any) -> dict[str, Any]:
    """A dataclass in the types that JSON gives back."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(noun)))
    return document


def _differences(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What is trained otherwise now, setting by setting."""
    then, now = (work | {f"recipe.{name}": each for name, each in work["recipe"].items()} for work in (then, now))
    for name in now:
        if name == "recipe" or name in _NO_MATTER:
            continue
        if then.get(name) != now[name]:
            yield f"{name} was {then.get(name)}, is {now[name]}"
    lengths = [name for name in _LAID_OUT if now[f"recipe.{name}"]]
    if then["epochs"] != now["epochs"] and (now["recipe.schedule"] != "constant" or lengths):
        yield f"its {now['recipe.schedule']} schedule is laid over {then['epochs']} epochs, not {now['epochs']}"
