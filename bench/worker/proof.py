"""What is found out of a launch after its window: that the ranks agree, what waiting costs, how much was computed."""

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bench.worker import checks, gradients, overhead
from bench.worker.afterwards import Afterwards
from bench.worker.agreement import agreed
from bench.worker.group import Group
from bench.worker.no_sync_step import compute_step_ns
from bench.worker.session import Session

_LIMIT_S = 60.0  # and a few times what it trains


def find_out(after: Afterwards, session: Session, *, step_ns: int, counts_flop: bool) -> None:
    """One thing after the other; what concerns all ranks is asked of all of them, in the same order."""
    trainer, unwrapped, batches, group = session.trainer, session.unwrapped, session.batches, session.world.group
    step_s = step_ns / 1e9
    after.find(clock_ns_per_step=lambda: overhead.clock_ns_per_step(trainer.backend, trainer.device, trainer.heart))
    if group.world_size > 1 and isinstance(trainer.model, DistributedDataParallel):
        after.find(weights_equal=lambda: _equal(group, unwrapped))
        compared: list[gradients.Compared] = []

        def error() -> float:
            compared.append(gradients.compare(trainer, unwrapped, next(iter(batches)), session.wrap))
            return compared[0].error

        after.find(gradient_error=error, limit_s=_LIMIT_S + 4 * (group.world_size + 4) * step_s)
        if compared:
            after.find(gradient_cause=lambda: compared[0].cause)
        # From here on the ranks' weights differ.
        after.find(
            compute_step_ns=lambda: compute_step_ns(trainer, batches, max(group.gather(step_ns))),
            limit_s=_LIMIT_S + 100 * step_s,
        )
    if counts_flop:  # on a CPU it imports for 1.6 s
        after.find(flop_per_sample=lambda: checks.flop_per_sample(unwrapped, next(iter(batches))[0][:2]))


def _equal(group: Group, unwrapped: nn.Module) -> bool:
    return len(set(group.gather(agreed(group, lambda: checks.weights_digest(unwrapped))))) == 1
