"""A rank as a process: prepared, let work, and its end told to the supervisor. No torch."""

import os
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from bench.learn import TrainingError, WorkloadError
from bench.worker import bootstrap, job, variable_reads


def run(work: Callable[[bootstrap.Rank], None]) -> NoReturn:
    """Be one rank: do the work and end this process, with 0 only when the work is done.

    Args:
        work: imports torch itself, so that cores, threads and signals are settled before; leaves "ok" on disk.
    """
    rank = bootstrap.start()
    variable_reads.listen()
    try:
        work(rank)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the supervisor must hear of it
        bootstrap.say(traceback.format_exc())
        # When it failed decides who failed first; a file's own time is rounded to the kernel's tick.
        failure = _failure(error)
        if unseen := variable_reads.warnings():
            failure["hint"] = ". ".join(filter(None, (*unseen, failure.get("hint"))))
        job.write_result(rank.folder, rank.rank, {**failure, "monotonic_ns": time.monotonic_ns()})
        code = 1
    else:
        code = 0
    bootstrap.flush()
    # Everything is on disk. Leaving the ordinary way takes torch a second, and a communicator that waits for a peer
    # which will never come would not let go at all.
    os._exit(code)


def put_back() -> None:
    """Take back what of a user's settings could lose a launch, and changes nothing of what is measured.

    Warnings that raise are for whoever mends them: torch's own would end a launch that is finished.
    """
    bootstrap.arm_again()
    if any(action == "error" for action, *_ in warnings.filters):
        warnings.simplefilter("default")


def _failure(error: BaseException) -> dict[str, Any]:
    """A failure in the words of a result file."""
    if isinstance(error, WorkloadError):
        return {"status": "refused", "reason": error.message, "hint": error.hint, "exit_code": error.exit_code}
    first_line = next(iter(str(error).splitlines()), "")
    # By name: torch itself may be what failed to import. MPS raises a plain RuntimeError.
    if type(error).__name__ == "OutOfMemoryError" or "backend out of memory" in first_line:
        return {"status": "oom_device", "reason": first_line}
    if isinstance(error, TrainingError):
        return {"status": "crash", "reason": first_line}
    return {"status": "crash", "reason": f"{type(error).__name__}: {first_line}"}
