"""What is found out of a launch after its window: that the ranks agree, what waiting costs, how much was computed."""

from collections.abc import Callable

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bench.learn.batches import Batches
from bench.worker import checks, gradients, overhead
from bench.worker.afterwards import Afterwards
from bench.worker.agreement import agreed
from bench.worker.group import Group
from bench.worker.no_sync_step import compute_step_ns
from bench.worker.train import Trainer

_LIMIT_S = 60.0  # and a few times what it trains


def find_out(
    after: Afterwards,
    trainer: Trainer,
    plain: nn.Module,
    batches: Batches,
    *,
    batch: int,
    step_ns: int,
    wrap: Callable[[nn.Module], nn.Module],
    counts_flop: bool,
) -> None:
    """One thing after the other; what concerns all ranks is asked of all of them, in the same order.

    Args:
        after: takes what is found.
        trainer: the rank's.
        plain: its model without the wrapper.
        batches: the rank's.
        batch: samples per step of this rank.
        step_ns: this rank's.
        wrap: puts a copy into the wrapper that the model is trained in.
        counts_flop: whether this rank counts operations.
    """
    group = trainer.group
    step_s = step_ns / 1e9
    after.find(clock_ns_per_step=lambda: overhead.clock_ns_per_step(trainer.backend, trainer.device, trainer.heart))
    if group.world_size > 1 and isinstance(trainer.model, DistributedDataParallel):
        after.find(weights_equal=lambda: _equal(group, plain))
        compared: list[gradients.Compared] = []

        def error() -> float:
            compared.append(gradients.compare(trainer, plain, next(iter(batches)), group, wrap))
            return compared[0].error

        after.find(gradient_error=error, limit_s=_LIMIT_S + 4 * (group.world_size + 4) * step_s)
        if compared:
            after.find(gradient_cause=lambda: compared[0].cause)
        # From here on the ranks' weights differ.
        after.find(
            compute_step_ns=lambda: compute_step_ns(trainer, batches, batch, max(group.gather(step_ns))),
            limit_s=_LIMIT_S + 100 * step_s,
        )
    if counts_flop:  # on a CPU it imports for 1.6 s
        after.find(flop_per_sample=lambda: checks.flop_per_sample(plain, next(iter(batches))[0][:2]))


def _equal(group: Group, plain: nn.Module) -> bool:
    return len(set(group.gather(agreed(group, lambda: checks.weights_digest(plain))))) == 1
