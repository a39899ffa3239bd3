"""A process of its own that outlives a supervisor which was killed, and then ends the supervisor's ranks.

It reads process groups from its standard input, `123` to watch over one and `-123` to let it go, and at the end of the
input, which the kernel brings about however the supervisor ends, kills those that are left. It needs nothing of the
ranks: also one that is stopped, or holds the interpreter's lock, or has helpers of its own goes with all it started.
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


if __name__ == "__main__":
    main()
