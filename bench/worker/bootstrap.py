"""A rank as a process, before torch is imported: able to be ended, asked and watched, and its end told. No torch.

Reads the environment contract of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, GROUP_RANK), and of ours BENCH_RUN_FOLDER and
BENCH_SUPERVISOR_PID. Cores are not set here: the launcher starts a rank on its own.
"""

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bench.learn import TrainingError, WorkloadError
from bench.printable import first_line
from bench.worker import job, variable_reads
from launchers.heartbeat import Heart

_PR_SET_PDEATHSIG = 1
_TERMINATED = 128 + signal.SIGTERM
_armed: list[int] = []  # the log, and the pipe that signals are told through; empty in a process that is no rank


@dataclass(frozen=True, kw_only=True)
class Rank:
    """Who this process is among the ranks of a launch, and how it shows that it is alive."""

    rank: int
    world_size: int
    local_rank: int
    node: int  # number of its host
    folder: Path  # of the launch: heartbeats, logs, results
    heart: Heart


def start() -> Rank:
    """Prepare this process to be a rank. Call it from the main thread, once, before importing anything slow.

    Raises:
        KeyError: no launcher set RANK, WORLD_SIZE and LOCAL_RANK.
        OSError: no heartbeat can be written into the folder.
    """
    supervisor = os.environ.get("BENCH_SUPERVISOR_PID")
    if supervisor is not None and sys.platform == "linux":
        _die_with(int(supervisor))
    log = os.dup(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
    faulthandler.enable(log)  # a crash in native code leaves its stack in the log
    faulthandler.register(signal.SIGUSR1, log, all_threads=True)  # without the interpreter's lock, so also in a hang
    _armed[:] = [log, _end_at_sigterm()]
    rank = int(os.environ["RANK"])
    folder = Path(os.environ.get("BENCH_RUN_FOLDER", ".")).absolute()  # a model's code may change the working folder
    return Rank(
        rank=rank,
        world_size=int(os.environ["WORLD_SIZE"]),
        local_rank=int(os.environ["LOCAL_RANK"]),
        node=int(os.environ.get("GROUP_RANK", "0")),
        folder=folder,
        heart=Heart(folder, rank),
    )


def _die_with(supervisor: int) -> None:
    """Have the kernel kill this process when the thread that started it ends.

    The supervisor's guard does the same for whole process groups, on macOS too; this one still works when somebody
    killed the guard as well.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:  # it died before we asked
        os._exit(_TERMINATED)


def arm_again() -> None:
    """Take back what a user's code may have done to the signals and streams that this rank is ended and watched by.

    A handler of its own for SIGTERM stays, and is called as far as a rank that ends within milliseconds comes to it.
    """
    if not _armed:
        return
    log, pipe = _armed
    for name in ("stdout", "stderr"):
        if not _takes_text(getattr(sys, name)):
            setattr(sys, name, os.fdopen(os.dup(log), "w", buffering=1))
    signal.set_wakeup_fd(pipe, warn_on_full_buffer=False)
    if not callable(signal.getsignal(signal.SIGTERM)):  # ignored or the default: the pipe would not be written to
        signal.signal(signal.SIGTERM, _leave_to_the_thread)
    if signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL:  # faulthandler's own is not known to `signal`
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        faulthandler.unregister(signal.SIGUSR1)
        faulthandler.register(signal.SIGUSR1, log, all_threads=True)


def _takes_text(stream: object) -> bool:
    try:
        return stream is not None and not getattr(stream, "closed", False)
    except ValueError:  # detached from what it wrote to
        return False


def say(text: str) -> None:
    """Write to the log, whatever has become of the streams."""
    with suppress(OSError):
        os.write(_armed[0] if _armed else 2, text.encode(errors="replace"))


def flush() -> None:
    """The last words of this process; a stream that somebody closed or replaced has none."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _end_at_sigterm() -> int:
    """Have SIGTERM end this process within milliseconds, whatever the main thread does.

    A Python handler would not run before the main thread comes back from its collective, which can be never. The
    interpreter's C handler however writes the signal's number to a pipe at once, and a thread waits there.

    Returns:
        The pipe's end that is written to.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _leave_to_the_thread)
    threading.Thread(target=_wait_for_sigterm, args=(reader,), name="sigterm", daemon=True).start()
    # A forked data loader worker shares the pipe: when it is told to end, this rank must not. Nor may it ignore it.
    os.register_at_fork(after_in_child=_forget_sigterm)
    return writer


def _leave_to_the_thread(number: int, frame: object) -> None:
    """Neither the default, which kills before anything is flushed, nor ignored, which wakes nobody."""


def _forget_sigterm() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _wait_for_sigterm(reader: int) -> None:
    while signal.SIGTERM not in os.read(reader, 64):
        pass  # another signal with a Python handler, such as SIGCHLD
    flush()
    os._exit(_TERMINATED)


def run(work: Callable[[Rank], None]) -> NoReturn:
    """Be one rank: do the work and end this process, with 0 only when the work is done.

    Args:
        work: imports torch itself, so that cores, threads and signals are settled before; leaves "ok" on disk.
    """
    rank = start()
    variable_reads.listen()
    try:
        work(rank)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the supervisor must hear of it
        say(traceback.format_exc())
        # When it failed decides who failed first; a file's own time is rounded to the kernel's tick.
        failure = _failure(error)
        if unseen := variable_reads.warnings():
            failure["hint"] = ". ".join(filter(None, (*unseen, failure.get("hint"))))
        job.write_result(rank.folder, rank.rank, {**failure, "monotonic_ns": time.monotonic_ns()})
        code = 1
    else:
        code = 0
    flush()
    # Everything is on disk. Leaving the ordinary way takes torch a second, and a communicator that waits for a peer
    # which will never come would not let go at all.
    os._exit(code)


def put_back() -> None:
    """Take back what of a user's settings could lose a launch, and changes nothing of what is measured.

    Warnings that raise are for whoever mends them: torch's own would end a launch that is finished.
    """
    arm_again()
    if any(action == "error" for action, *_ in warnings.filters):
        warnings.simplefilter("default")


def _failure(error: BaseException) -> dict[str, Any]:
    """A failure in the words of a result file."""
    if isinstance(error, WorkloadError):
        return {"status": "refused", "reason": error.message, "hint": error.hint, "exit_code": error.exit_code}
    first = first_line(error, "")
    # By name: torch itself may be what failed to import. MPS raises a plain RuntimeError.
    if type(error).__name__ == "OutOfMemoryError" or "backend out of memory" in first:
        return {"status": "oom_device", "reason": first}
    if isinstance(error, TrainingError):
        return {"status": "crash", "reason": first}
    return {"status": "crash", "reason": f"{type(error).__name__}: {first}"}
