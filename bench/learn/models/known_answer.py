"""`known-answer`: a model whose speed is known beforehand, so that the harness itself can be checked.

A step takes `sleep_ms` and next to nothing else, so N ranks at batch B make N x B x 1000 / sleep_ms samples a second.
It can also straggle, lose its mind, or come to any of `FAULTS` on request, so that what must be noticed can be tried.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

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


_BLOCK_BYTES = 16 * 2**20
_MOST_MEMORY_BYTES = 4 * 2**30  # where nothing limits a process, it must not take the machine down
_LASTING_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong, and where."""

    what: str  # one of FAULTS
    step: int = 0  # before this training step of this rank, counted from 0 with the warm-up included
    rank: int | None = None  # None: on all
    launch: str | None = None  # round and position as a launch's id ends, r00p01, whichever attempt; None: in all

    def strikes(self, rank: int, launch: str) -> bool:
        """Whether it is meant for this rank of this launch."""
        return self.rank in (None, rank) and self.launch in (None, launch)


class _KnownAnswer(nn.Module):
    def __init__(self, *, rows: int, classes: int, sleep_s: float, nan_at: int | None, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(rows, classes))
        self.sleep_s, self.nan_at, self.faults = sleep_s, nan_at, faults
        self.step = 0

    def forward(self, x: Tensor) -> Tensor:
        """The same logits for every image: the mean over rows, so that every weight has a gradient."""
        if not self.training:
            return self.weight.mean(0).expand(len(x), -1)
        step, self.step = self.step, self.step + 1
        for fault in self.faults:
            if fault.step == step:
                FAULTS[fault.what]()
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


def _spin() -> NoReturn:
    """A livelock: busy, without the interpreter's lock for long, and never a step further."""
    while True:
        pass


def _raise(error: Exception) -> NoReturn:
    raise error


def _take_memory() -> NoReturn:
    """Take and use memory of the host until the kernel ends this process; try it within a memory cgroup only."""
    taken = [b"x" * _BLOCK_BYTES for _ in range(_MOST_MEMORY_BYTES // _BLOCK_BYTES)]
    raise MemoryError(f"known-answer: {len(taken) * _BLOCK_BYTES} bytes taken, and nobody minded")


def _take_device_memory() -> NoReturn:
    """Take memory of the CUDA device until there is none."""
    taken = []
    while True:
        taken.append(torch.empty(2**30, dtype=torch.uint8, device="cuda"))


def _leave_a_helper(*, session: bool = False) -> None:
    """Start a process that ignores every polite signal, and go on."""
    deaf = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(600)"
    subprocess.Popen((sys.executable, "-I", "-S", "-c", deaf), start_new_session=session)


def _fork() -> None:
    """Leave a copy of this process, with its half of every connection, and go on."""
    if os.fork() == 0:
        time.sleep(_LASTING_S)
        os._exit(0)


# The first ten end a rank, or keep it from ever ending; those after them leave something behind and go on.
FAULTS: Mapping[str, Callable[[], object]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "hang": lambda: time.sleep(_LASTING_S),
    "spin": _spin,
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit-0": lambda: os._exit(0),
    "exit-7": lambda: os._exit(7),
    "raise": lambda: _raise(RuntimeError("known-answer: raised, as asked")),
    "oom-device": lambda: _raise(torch.OutOfMemoryError("known-answer: the device's memory is full, as asked")),
    "fill-host": _take_memory,
    "fill-device": _take_device_memory,
    "helper": _leave_a_helper,
    "daemon": lambda: _leave_a_helper(session=True),
    "fork": _fork,
}


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
    nan_at_step: int | None = None,
    faults: Sequence[Mapping[str, Any]] = (),
) -> nn.Module:
    """Sleeps `sleep_ms` in each training forward pass, `straggler_factor` times as long on rank `straggler_rank`.

    `gradient_bytes` (float32, rounded down to whole rows of one weight per class) are reduced over the ranks in each
    step. At the training step `nan_at_step`, counted from 0 with the warm-up included, it returns NaN. `faults` are
    the fields of `Fault`, in a profile `faults = [{ what = "kill", step = 20, rank = 1, launch = "r00p01" }]`; several
    at one step strike in turn. Reads its own rank from the environment variable RANK, and its launch from the name of
    the folder BENCH_RUN_FOLDER.

    Raises:
        WorkloadError: a negative time or size, or a fault that is none.
    """
    if min(sleep_ms, straggler_factor, gradient_bytes) < 0:
        raise WorkloadError(f"{name}: times and sizes cannot be negative.", "Check its options.")
    rank, launch = int(os.environ.get("RANK", "0")), _launch()
    return _KnownAnswer(
        rows=max(1, gradient_bytes // (4 * classes)),
        classes=classes,
        sleep_s=sleep_ms / 1e3 * (straggler_factor if rank == straggler_rank else 1.0),
        nan_at=nan_at_step,
        faults=[fault for fault in _faults(name, faults) if fault.strikes(rank, launch)],
    )


def _faults(name: str, asked: Sequence[Mapping[str, Any]]) -> list[Fault]:
    try:
        found = [Fault(**each) for each in asked]
    except TypeError as error:
        raise WorkloadError(f"{name}: a fault has what, step, rank and launch.", "Check its options.") from error
    for fault in found:
        if fault.what not in FAULTS:
            raise WorkloadError(f"{name} knows no fault {fault.what!r}.", f"It knows: {', '.join(FAULTS)}.")
    return found


def _launch() -> str:
    """Round and position of this launch; empty outside of one."""
    found = re.search(r"\.(r\d+p\d+)(\.a\d+)?$", Path(os.environ.get("BENCH_RUN_FOLDER", "")).name)
    return found[1] if found else ""
