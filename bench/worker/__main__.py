"""`python -m scaling_bench.module bench.worker`: one rank. The bootstrap comes before all that takes time or threads.

The launch is described in `job.json`, in the folder that BENCH_RUN_FOLDER names.
"""

from bench.worker import bootstrap, job


def measure(rank: bootstrap.Rank) -> None:
    from bench.worker.run import run  # noqa: PLC0415 - torch only after the bootstrap has settled cores and threads

    run(rank, job.Job.read(rank.folder / job.JOB))


if __name__ == "__main__":
    bootstrap.run(measure)
