"""Looks, from another node of a Slurm job, whether the leader's node is still there.

    python -P -m launchers.node_watch LEADERS_NODE SECONDS

A job with --no-kill outlives the loss of its nodes, of its first one too: it would then hold the others, with nobody to
lead it, to its time limit. The watch sends it back into the queue.
"""

import os
import sys
import time

from launchers.sbatch import SlurmError, answer, run

_DEAF_LOOKS = 60  # without an answer from Slurm, whose controller may be restarted; then nobody needs us any more


def main() -> int:
    """Look until the job is over, or has lost this node or the leader's."""
    leader, every_s = sys.argv[1], float(sys.argv[2])
    job, own = os.environ["SLURM_JOB_ID"], os.environ["SLURMD_NODENAME"]
    deaf = 0
    while deaf < _DEAF_LOOKS:
        time.sleep(every_s)
        try:
            nodes = nodes_of(job)
        except SlurmError:
            deaf += 1
            continue
        deaf = 0
        if own not in nodes:
            return 0
        if leader not in nodes:
            # A job that may not be requeued ends.
            return run("scontrol", "requeue", job).returncode and run("scancel", job).returncode
    return 1


def nodes_of(job: str) -> set[str]:
    """The nodes that a job runs on; none when it does not run.

    Raises:
        SlurmError: Slurm does not answer.
    """
    # A job that is ending gives its nodes back one by one, and has lost none of them.
    running = answer("squeue", "--noheader", "--states=RUNNING", f"--jobs={job}", "--format=%N")
    return set(answer("scontrol", "show", "hostnames", running).split()) if running else set()


if __name__ == "__main__":
    sys.exit(main())
