"""Whole epochs of training, each evaluated exactly; evaluation lies outside every timed segment."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from bench.learn import WorkloadError
from bench.learn import evaluate as evaluation
from bench.measured import MeasuredClass
from bench.worker import job
from bench.worker.checkpoint_file import Place
from bench.worker.session import Session
from bench.worker.train import Segment


@dataclass(kw_only=True)
class Trained:
    """What this rank has trained of one epoch so far."""

    steps: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    samples: int = 0
    wall_ns: int = 0
    learning_rate: float = 0.0  # of the last step

    def add(self, segment: Segment) -> None:
        """Count one more segment, whose losses were added to ours."""
        self.steps += sum(segment.times.steps)
        self.loss_sum = segment.loss_sum
        self.correct += segment.correct or 0
        self.samples += segment.samples
        self.wall_ns += segment.times.wall_ns - segment.times.outside_ns
        self.learning_rate = segment.learning_rate


@dataclass(kw_only=True)
class EpochLoop:
    """One rank's epochs. All that changes while it runs is in the session and in what stands here."""

    session: Session
    # (batches, steps, *, epoch, in_window, loss_before): trains and records some steps of an epoch
    train: Callable[..., Segment]
    warmup_steps: int  # the first of the run: trained and recorded, not in the window
    results: list[job.EpochResult] = field(default_factory=list)  # of the epochs so far, equal on every rank
    save: Callable[..., None] = lambda *_: None  # (place, loop, part): keeps a checkpoint, where one is wanted
    save_every: int | None = None  # steps, within an epoch too
    part: Trained | None = None  # of epoch `first`, where an earlier run broke off within it

    def run(self, epochs: int, *, first: int = 0) -> None:
        """Train and evaluate epochs `first` to `epochs` - 1, unless patience ends first.

        `first` is not 0 where an earlier run is resumed; `results` then holds that run's epochs, and where its
        patience was over nothing is trained.
        """
        for epoch in range(first, epochs):
            if self._out_of_patience():
                break
            self.session.world.heart.epoch = epoch + 1
            self._before(epoch)
            self.results.append(self._evaluated(epoch, self._trained(epoch)))
            self.save(Place(epoch + 1), self)

    def _before(self, epoch: int) -> None:
        """What changes at the start of an epoch. Of the first epoch after a resumption it is all that has changed."""
        session = self.session
        if session.recipe.phases:
            session.enter(session.recipe.phase_at(epoch))

    def _out_of_patience(self) -> bool:
        """Whether so many epochs have brought nothing better: rank 0's word, so that all ranks stop or none does."""
        patience = self.session.recipe.patience
        if not patience:
            return False
        return bool(self.session.world.group.gather(epochs_since_best(self.results) >= patience)[0])

    def _trained(self, epoch: int) -> Trained:
        steps = self.session.batches.steps_per_epoch or 0  # never 0: what has no epochs makes no session
        done, self.part = self.part or Trained(), None
        batches = self.session.batches.epoch(epoch, first=done.steps)
        warm = done.steps + min(self.warmup_steps, steps - done.steps)
        self.warmup_steps -= warm - done.steps
        saved = range(self.save_every, steps, self.save_every) if self.save_every else ()
        for until in sorted({warm, *saved, steps}):
            count = until - done.steps
            if count > 0:
                in_window = until > warm
                done.add(self.train(batches, count, epoch=epoch, in_window=in_window, loss_before=done.loss_sum))
                if until in saved:
                    self.save(Place(epoch, until), self, done)
        return done

    def _evaluated(self, epoch: int, done: Trained) -> job.EpochResult:
        session, trainer, group = self.session, self.session.trainer, self.session.world.group
        model = session.unwrapped if trainer.ema is None else trainer.ema.module
        trainer.heart.enter("evaluating")
        began = time.perf_counter_ns()
        group.share_buffers(model)
        with trainer.autocast():
            mine = evaluation.evaluate(
                model,
                session.data,
                device=trainer.device,
                rank=group.rank,
                world_size=group.world_size,
                memory_format=session.memory_format,
                beat=trainer.heart.beat,
            )
        counts = evaluation.Counts.from_tensor(group.total(mine.to_tensor(), trainer.device))
        evaluate_s = (time.perf_counter_ns() - began) / 1e9
        sums = torch.tensor([done.loss_sum / done.steps, done.correct], dtype=torch.float64)
        trained = group.total(sums, trainer.device).tolist()
        samples = done.samples * group.world_size
        return job.EpochResult(
            epoch=epoch,
            train_s=max(group.gather(done.wall_ns)) / 1e9,
            evaluate_s=max(group.gather(evaluate_s)),
            samples=samples,
            learning_rate=done.learning_rate,
            train_loss=trained[0] / group.world_size,
            train_top1=trained[1] / samples,
            validation_loss=_known(evaluation.mean_loss(counts)),
            top1=_known(evaluation.top1(counts)),
            top5=evaluation.top5(counts),
            validation_samples=evaluation.samples(counts),
            classes=tuple(
                MeasuredClass(label=label, name=name, confusion=tuple(counts.confusion[label].tolist()), **vars(score))
                for label, (name, score) in enumerate(
                    zip(session.data.class_names, evaluation.per_class(counts), strict=True)
                )
            ),
        )


def _known(score: float | None) -> float:
    """Of a validation set, which is not empty."""
    if score is None:
        raise WorkloadError("The validation set has no pictures.", "Accuracy needs some.")
    return score


def epochs_since_best(results: Sequence[job.EpochResult]) -> int:
    """Epochs after the one with the best validation top-1, the first of equals; 0 of none."""
    scores = [each.top1 or 0.0 for each in results]
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0
