"""A process of its own that outlives a supervisor which was killed, and then ends the supervisor's ranks.

It is told the launch's folder and the supervisor's pid. It reads process groups from its standard input, `123` to watch
over one and `-123` to let it go, and at the end of the input, which the kernel brings about however the supervisor
ends, kills those that are left, and what has left them. It needs nothing of the ranks: also one that is stopped, or
holds the interpreter's lock, or has helpers of its own goes with all it started.
"""

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Watch until the end of the input."""
    groups = set()
    for line in sys.stdin:
        group = int(line)
        if group > 0:
            groups.add(group)
        else:
            groups.discard(-group)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    end_strays(sys.argv[1], int(sys.argv[2]))


def end_strays(folder: str, supervisor: int) -> list[int]:
    """SIGKILL what a launch's ranks have started and what is no longer in their process groups; returns the pids.

    Known by the environment that it was given, so nothing else can be meant. Finds nothing where there is no /proc
    (macOS), and nothing that cannot be read.
    """
    from pathlib import Path  # noqa: PLC0415 - the guard must start fast, and most of them never come here

    marks = {f"BENCH_RUN_FOLDER={folder}".encode(), f"BENCH_SUPERVISOR_PID={supervisor}".encode()}
    ended = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            handle = os.pidfd_open(int(process.name))  # so that the signal cannot reach a later process of this number
            try:
                if marks <= set((process / "environ").read_bytes().split(b"\0")):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    ended.append(int(process.name))
            finally:
                os.close(handle)
    return ended


if __name__ == "__main__":
    main()
