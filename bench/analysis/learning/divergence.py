"""When a training stopped being one: the first epoch whose loss is no number any more. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.store.schema import Epoch


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Of one launch."""

    epoch: int  # from 1
    is_nan: bool  # else infinite
    in_training: bool  # else in the evaluation alone: the training went on with finite losses

    def __str__(self) -> str:
        which = "loss" if self.in_training else "validation loss"
        return f"diverged: {which} {'NaN' if self.is_nan else 'infinite'} from epoch {self.epoch} on"


def of_launches(epochs: Iterable[Epoch]) -> dict[str, Divergence]:
    """Every launch with a loss that is no number, by its id.

    The training's loss tells more than the validation's, which averaged weights or running statistics may spoil as
    well; so it is named wherever it is broken, and the validation's only where it alone is.
    """
    by_launch: dict[str, list[Epoch]] = {}
    for each in sorted(epochs, key=lambda epoch: epoch.epoch):
        by_launch.setdefault(each.launch_id, []).append(each)
    return {launch_id: first for launch_id, mine in by_launch.items() if (first := _first(mine)) is not None}


def _first(epochs: Sequence[Epoch]) -> Divergence | None:
    for in_training in (True, False):
        for each in epochs:
            loss = each.train_loss if in_training else each.validation_loss
            if not math.isfinite(loss):
                return Divergence(epoch=each.epoch + 1, is_nan=math.isnan(loss), in_training=in_training)
    return None
