"""Averaged weights: an exponential moving average of the model, of one foreach call a step."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from bench.learn import WorkloadError
from bench.learn.copying import NotCopiedError, copy_of


class Ema:
    """`average = decay average + (1 - decay) model`, after a first update that copies the model, as torch has it.

    Not AveragedModel: it sends its counter to the device at every update and waits for it, which no step may. The
    running statistics of norms are averaged too, and counters are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """`model`: without its wrapper, on its device.

        Raises:
            WorkloadError: it has no copy of its own, and the live weights would be evaluated as the averaged ones.
        """
        try:
            self.module = copy_of(model).requires_grad_(False)
        except NotCopiedError as error:
            raise WorkloadError(f"There can be no averaged weights: {error}.", "Leave ema_decay out.") from error
        self.updates = 0
        self._average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        pairs = list(zip(_tensors(self.module), _tensors(model), strict=True))
        self._floating = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """To be called after every optimizer step."""
        ours, theirs = ([pair[side] for pair in self._floating] for side in (0, 1))
        if self.updates:
            self._average(ours, theirs, None)
        else:
            torch._foreach_copy_(ours, theirs)
        for own, other in self._counters:
            own.copy_(other)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and how many updates they have seen."""
        return {"module": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.module.load_state_dict(state["module"])
        self.updates = state["updates"]


def _tensors(model: nn.Module) -> list[Tensor]:
    return [each.detach() for each in (*model.parameters(), *model.buffers())]
