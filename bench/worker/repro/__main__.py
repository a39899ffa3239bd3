"""`python -m scaling_bench.module bench.worker.repro`: a rank that trains a few steps and writes down what it sees.

What is run stands in the folder that BENCH_RUN_FOLDER names.
"""

from bench.repro import capsule
from bench.worker import bootstrap, job


def record(rank: bootstrap.Rank) -> None:
    """Run, and leave what this rank saw in the launch's folder."""
    from bench.worker.repro import run  # noqa: PLC0415 - torch only after the bootstrap has settled cores and threads

    asked = capsule.ReproRun.read(rank.folder)
    world = run.join(rank, asked)
    capsule.write_part(rank.folder, run.trace(asked, world))
    job.write_result(rank.folder, rank.rank, {"status": "ok"})
    world.group.leave()
    rank.heart.enter("done")


if __name__ == "__main__":
    bootstrap.run(record)
