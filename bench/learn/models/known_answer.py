"""`known-answer`: a model whose speed is known beforehand, so that the harness itself can be checked.

A step takes `sleep_ms` and next to nothing else, so N ranks at batch B make N x B x 1000 / sleep_ms samples a second.
It can also straggle, crash, hang or lose its mind on request, so that what must be noticed can be tried.
"""

import os
import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.learn import WorkloadError
from bench.learn.naming import named

# While a process sleeps, others take its place in the processor's caches, and the few calls of a step that cost 0.4 ms
# in a loop cost 1.5 ms after a nap of 100 ms (measured on two shared cores). The nap does that, not the harness, so
# its end is spent awake, going through the motions of a step.
_AWAKE_S = 0.003
_REHEARSAL_S = 0.0005


class _KnownAnswer(nn.Module):
    def __init__(
        self,
        *,
        rows: int,
        classes: int,
        sleep_s: float,
        nan_at: int | None,
        crash_at: int | None,
        hang_at: int | None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(rows, classes))
        self.sleep_s, self.nan_at, self.crash_at, self.hang_at = sleep_s, nan_at, crash_at, hang_at
        self.step = 0

    def forward(self, x: Tensor) -> Tensor:
        """The same logits for every image: the mean over rows, so that every weight has a gradient."""
        if not self.training:
            return self.weight.mean(0).expand(len(x), -1)
        step, self.step = self.step, self.step + 1
        if step == self.crash_at:
            raise RuntimeError(f"known-answer: crashed at step {step}, as asked")
        while step == self.hang_at:
            time.sleep(1)
        _sleep(self.sleep_s)
        logits = self.weight.mean(0).expand(len(x), -1)
        return logits * float("nan") if step == self.nan_at else logits


def _sleep(seconds: float) -> None:
    """Return after `seconds` to within a fraction of a millisecond, with the caches warm."""
    if seconds == 0:
        return
    end = time.perf_counter() + seconds
    time.sleep(max(0.0, seconds - _AWAKE_S))
    own = torch.zeros(10, requires_grad=True)
    label = torch.zeros(1, dtype=torch.int64)
    optimizer = torch.optim.SGD([own], lr=0.1, momentum=0.9, fused=True)
    with torch.enable_grad():
        while time.perf_counter() < end - _REHEARSAL_S:  # a whole rehearsal must still fit
            torch.autograd.backward(functional.cross_entropy(own.expand(1, -1), label))
            optimizer.step()
            optimizer.zero_grad()
    while time.perf_counter() < end:
        pass


@named("known-answer")
def known_answer(
    name: str,
    input_shape: tuple[int, int, int],  # noqa: ARG001 - every model function is called alike
    classes: int,
    *,
    sleep_ms: float = 100.0,
    gradient_bytes: int = 65_536,
    straggler_rank: int | None = None,
    straggler_factor: float = 2.0,
    rank: int | None = None,
    nan_at_step: int | None = None,
    crash_at_step: int | None = None,
    hang_at_step: int | None = None,
) -> nn.Module:
    """Sleeps `sleep_ms` in each training forward pass, `straggler_factor` times as long on rank `straggler_rank`.

    `gradient_bytes` (float32, rounded down to whole rows of one weight per class) are reduced over the ranks in each
    step. Misbehaves on rank `rank` (None: on all) at the given training step, counted from 0 with the warm-up
    included. Reads its own rank from the environment variable RANK.

    Raises:
        WorkloadError: a negative time or size.
    """
    if min(sleep_ms, straggler_factor, gradient_bytes) < 0:
        raise WorkloadError(f"{name}: times and sizes cannot be negative.", "Check its options.")
    own = int(os.environ.get("RANK", "0"))
    guilty = rank is None or own == rank
    return _KnownAnswer(
        rows=max(1, gradient_bytes // (4 * classes)),
        classes=classes,
        sleep_s=sleep_ms / 1e3 * (straggler_factor if own == straggler_rank else 1.0),
        nan_at=nan_at_step if guilty else None,
        crash_at=crash_at_step if guilty else None,
        hang_at=hang_at_step if guilty else None,
    )
