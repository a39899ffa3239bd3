"""Looks, from another node of a Slurm job, whether the leader's node is still there.

    python -P -m launchers.node_watch LEADERS_NODE SECONDS

A job with --no-kill outlives the loss of its nodes, of its first one too: it would then hold the others, with nobody to
lead it, to its time limit. The watch sends it back into the queue.
"""

import os
import subprocess
import sys
import time

_DEAF_LOOKS = 60  # without an answer from Slurm, whose controller may be restarted; then nobody needs us any more
_PATIENCE_S = 60


def main() -> int:
    """Look until the job is over, or has lost this node or the leader's."""
    leader, every_s = sys.argv[1], float(sys.argv[2])
    job, own = os.environ["SLURM_JOB_ID"], os.environ["SLURMD_NODENAME"]
    deaf = 0
    while deaf < _DEAF_LOOKS:
        time.sleep(every_s)
        try:
            nodes = nodes_of(job)
        except (OSError, subprocess.SubprocessError):
            deaf += 1
            continue
        deaf = 0
        if own not in nodes:
            return 0
        if leader not in nodes:
            # A job that may not be requeued ends.
            return _slurm("scontrol", "requeue", job).returncode and _slurm("scancel", job).returncode
    return 1


def nodes_of(job: str) -> set[str]:
    """The nodes that a job runs on; none when it does not run.

    Raises:
        OSError, SubprocessError: Slurm does not answer.
    """
    # A job that is ending gives its nodes back one by one, and has lost none of them.
    running = _slurm("squeue", "--noheader", "--states=RUNNING", f"--jobs={job}", "--format=%N")
    running.check_returncode()
    if not running.stdout.strip():
        return set()
    names = _slurm("scontrol", "show", "hostnames", running.stdout.strip())
    names.check_returncode()
    return set(names.stdout.split())


def _slurm(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
    )


if __name__ == "__main__":
    sys.exit(main())
