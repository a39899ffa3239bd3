"""`python -P -m bench.worker JOB`: one rank. The bootstrap comes before all that takes time or spawns threads."""

import os
import sys
import time
import traceback
from pathlib import Path

from bench.worker import bootstrap, job


def main() -> int:
    """Run this rank; exit 0 only when its result is on disk."""
    file = Path(sys.argv[1])
    rank = bootstrap.start()
    sys.path.append(
        str(Path.cwd())
    )  # for MODULE:CALLABLE, and last, so that nothing of the user's shadows anything of ours
    try:
        import torch  # noqa: PLC0415 - after the bootstrap has pinned the cores and set the threads

        from bench.learn import WorkloadError  # noqa: PLC0415
        from bench.worker.run import run  # noqa: PLC0415

        try:
            run(rank, job.Job.read(file))
        except WorkloadError as error:
            told = {"status": "refused", "reason": error.message, "hint": error.hint, "exit_code": error.exit_code}
        except torch.OutOfMemoryError as error:
            told = {"status": "oom_device", "reason": str(error).splitlines()[0]}
        else:
            return 0
    except BaseException as error:  # noqa: BLE001 - whatever it is, the supervisor must hear of it
        told = {
            "status": "crash",
            "reason": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
        }
    traceback.print_exc()
    # When it failed decides who failed first; a file's own time is rounded to the kernel's tick.
    job.write_result(rank.folder, rank.rank, {**told, "monotonic_ns": time.monotonic_ns()})
    # Not sys.exit: a communicator waiting for a peer that will never come would hold the interpreter's exit.
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
