"""What is found out once the window is over: one thing after the other, with a limit, and no number is lost to it."""

import hashlib
import math
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._python_dispatch import TorchDispatchMode

from bench.learn.batches import Batches
from bench.learn.copying import aside, copy_of
from bench.worker import bootstrap, gradients
from bench.worker.group import agreed, in_words
from bench.worker.job import RankResult
from bench.worker.session import Session, synchronised
from bench.worker.train import Trainer, train_segment
from launchers.heartbeat import Heart

_LIMIT_S = 60.0  # and, of what trains, a few times what it trains
_REPEATS, _STEPS = 5, 200
_STEPS_LEAST, _STEPS_MOST = 3, 30
_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "linear")
_KINDS = ("convolution", "scaled_dot_product", "_rnn", "lstm", "gru")  # with many names


class Afterwards:
    """A rank's result, on disk from the start, and what is still to be added to it.

    The user's model runs in here once more, and may raise, hang in a collective or take the process with it: whatever
    happens, what was measured is on disk, and what is missing has a reason.
    """

    def __init__(self, result: RankResult, save: Callable[[RankResult], None]) -> None:
        self.result = result
        self._save = save
        self._lock = threading.Lock()
        save(self.result)

    def find(self, *, limit_s: float = _LIMIT_S, **looked_for: Callable[[], Any]) -> None:
        """Add what is looked for, by the name of the result's field, or why it could not be found.

        What is no field of the result (`group=leave`) is only done, and told of where it fails.
        """
        for name, look in looked_for.items():
            self._find(name, look, limit_s)

    def _find(self, name: str, look: Callable[[], Any], limit_s: float) -> None:
        before = self.result
        self._save(_without(before, name, "the rank ended while it was looked for"))
        with self._limited(name, limit_s):
            try:
                found = look()
                self.result = replace(before, **{name: found}) if hasattr(before, name) else before
            except Exception as error:  # noqa: BLE001 - the model is the user's
                self.result = _without(before, name, in_words(error))
        self._save(self.result)

    @contextmanager
    def _limited(self, name: str, limit_s: float) -> Iterator[None]:
        timer = threading.Timer(limit_s, self._give_up, (name, limit_s))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            self._lock.acquire()  # not while it gives up: that ends the process
            timer.cancel()
            self._lock.release()

    def _give_up(self, name: str, limit_s: float) -> None:
        """End this rank, as one that has done its work: nothing else gets it out of a collective that never ends."""
        with self._lock:
            self._save(_without(self.result, name, f"not found out within {limit_s:.0f} s"))
            bootstrap.flush()
            os._exit(0)


def _without(result: RankResult, name: str, why: str) -> RankResult:
    return replace(result, unavailable={**result.unavailable, name: why})


def find_out(after: Afterwards, session: Session, *, step_ns: int, counts_flop: bool) -> None:
    """One thing after the other; what concerns all ranks is asked of all of them, in the same order."""
    trainer, unwrapped, batches, group = session.trainer, session.unwrapped, session.batches, session.world.group
    step_s = step_ns / 1e9
    after.find(clock_ns_per_step=lambda: clock_ns_per_step(trainer.backend, trainer.device, trainer.heart))
    if group.world_size > 1 and isinstance(model := trainer.model, DistributedDataParallel):
        after.find(weights_equal=lambda: len(set(group.gather(agreed(group, lambda: weights_digest(unwrapped))))) == 1)
        compared: list[gradients.Compared] = []

        def error() -> float:
            compared.append(gradients.compare(trainer, unwrapped, next(iter(batches)), session.wrap))
            return compared[0].error

        after.find(gradient_error=error, limit_s=_LIMIT_S + 4 * (group.world_size + 4) * step_s)
        if compared:
            after.find(gradient_cause=lambda: compared[0].cause)
        # From here on the ranks' weights differ.
        after.find(
            compute_step_ns=lambda: compute_step_ns(trainer, model, batches, max(group.gather(step_ns))),
            limit_s=_LIMIT_S + 100 * step_s,
        )
    if counts_flop:  # on a CPU it imports for 1.6 s
        after.find(flop_per_sample=lambda: flop_per_sample(unwrapped, next(iter(batches))[0][:2]))


def weights_digest(model: nn.Module) -> str:
    """A hash of the bits of what is trained on all ranks alike, in order: equal only when every bit is.

    Not of buffers, nor of parameters that the model keeps to itself (not trainable, or left out of DDP): nothing says
    that those are equal.
    """
    digest = hashlib.blake2b(digest_size=16)
    for parameter in synchronised(model).values():
        digest.update(raw_bytes(parameter).numpy().data)
    return digest.hexdigest()


def raw_bytes(tensor: Tensor) -> Tensor:
    """A tensor's bytes in row-major order, on the CPU."""
    bits = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    # Flat first: a 1x1 convolution in channels_last counts as contiguous with strides that no view of bytes takes.
    return bits.detach().cpu().contiguous().reshape(-1).view(torch.uint8)


def flop_per_sample(model: nn.Module, images: Tensor) -> float:
    """Floating point operations of one forward and backward pass, per sample, by torch's own formulas.

    Matrix products, convolutions and attention only, two operations a multiply-accumulate; operators of the user's own
    count as nothing. Of a copy in training mode, in which alone some models have a backward pass (an RNN on CUDA).
    """
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - slow to import, and unused on CPUs

    counter = FlopCounterMode(display=False)
    copied = copy_of(model).train()
    with aside(images.device), counter:
        copied(images).sum().backward()
    return counter.get_total_flops() / len(images)


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def finite(loss: Tensor | None) -> float | None:
    """A loss as a number JSON and parquet can hold: None when there is none or it is not finite."""
    value = None if loss is None else float(loss.item())
    return value if value is not None and math.isfinite(value) else None


def clock_ns_per_step(backend: ModuleType, device: torch.device, heart: Heart) -> float:
    """Nanoseconds a step spends in the clock and the heartbeat: median of 5 runs of 200 empty steps."""
    rounds = []
    for _ in range(_REPEATS):
        clock = backend.clock(device, _STEPS, 10**9)
        clock.start()
        began = time.perf_counter_ns()
        for step in range(_STEPS):
            clock.ready()
            heart.beat(step)
            clock.end()
        rounds.append((time.perf_counter_ns() - began) / _STEPS)
        clock.stop()
    return statistics.median(rounds)


def compute_step_ns(trainer: Trainer, model: DistributedDataParallel, batches: Batches, step_ns: int) -> int | None:
    """The median length of about a second of steps without synchronisation, after all that counts.

    What the others' share of a step is compared with. The schedule stands still; from here on the ranks' weights
    differ. `step_ns`: of a step with synchronisation, the same on every rank, so that all do as many steps; None where
    no step was trained.
    """
    if not step_ns:
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


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What a forward pass computes in: every operation is seen after autocast has chosen its types.

    A model may choose types and threads within its forward, and leave no trace at its ends.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtypes: set[str] = set()  # of products of matrices, convolutions and attention
        self.threads: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.threads.add(torch.get_num_threads())
        name = func.overloadpacket.__name__
        if name in _PRODUCTS or any(kind in name for kind in _KINDS):
            tensors = [each for each in args if isinstance(each, Tensor) and each.is_floating_point()]
            self.dtypes.update(str(each.dtype).removeprefix("torch.") for each in tensors)
        return func(*args, **(kwargs or {}))


def look_into(trainer: Trainer, unwrapped: nn.Module, images: Tensor) -> Seen:
    """One forward pass of a copy, as training makes it.

    Raises:
        NotCopiedError: there is no copy.
    """
    copied, seen = copy_of(unwrapped).train(), Seen()
    with aside(images.device), trainer.autocast(), seen:
        copied(images.clone())
    return seen
