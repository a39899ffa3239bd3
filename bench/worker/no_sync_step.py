"""How long a step takes when nobody waits for gradients: what the others' share of it is compared with."""

import statistics
from dataclasses import replace

from torch.nn.parallel import DistributedDataParallel

from bench.learn.batches import Batches
from bench.worker.train import Trainer, train_segment

_STEPS_LEAST, _STEPS_MOST = 3, 30


def compute_step_ns(trainer: Trainer, batches: Batches, step_ns: int) -> int | None:
    """The median length of about a second of steps without synchronisation, after all that counts.

    From here on the ranks' weights differ.

    Args:
        trainer: the rank's; its schedule stands still.
        batches: the rank's.
        step_ns: of a step with synchronisation; the same on every rank, so that all do as many steps.

    Returns:
        Nanoseconds; None where there is nobody to synchronise with, or no step was trained.
    """
    model = trainer.model
    if trainer.group.world_size == 1 or not isinstance(model, DistributedDataParallel) or not step_ns:
        return None
    steps = min(_STEPS_MOST, max(_STEPS_LEAST, round(1e9 / step_ns)))
    with model.no_sync():
        times = train_segment(
            replace(trainer, scheduler=None),
            iter(batches),
            1 + steps,
            batch=batches.batch_per_rank,
            phase="finishing",
            step_ns=step_ns,
            count_correct=False,
        ).times
    lengths = [length / count for length, count in zip(times.step_ns, times.steps, strict=True)]
    return round(statistics.median(lengths[1:] or lengths))  # the first still does what synchronising left behind
