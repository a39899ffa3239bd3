"""`python -m scaling_bench.module bench.worker.repro`: a rank that trains a few steps and writes down what it sees.

What is rehearsed stands in `rehearsal.json`, in the folder that BENCH_RUN_FOLDER names.
"""

from bench.repro import capsule
from bench.repro.capsule import Rehearsal
from bench.worker import bootstrap, job, process


def record(rank: bootstrap.Rank) -> None:
    """Rehearse, and leave what this rank saw in the launch's folder."""
    from bench.worker.repro import run  # noqa: PLC0415 - torch only after the bootstrap has settled cores and threads

    told = Rehearsal.read(rank.folder)
    place = run.join(rank, told)
    part = run.rehearse(told, place)
    capsule.write_part(capsule.part_file(rank.folder, rank.rank), part)
    job.write_result(rank.folder, rank.rank, {"status": "ok"})
    place.group.leave()
    rank.heart.enter("done")


if __name__ == "__main__":
    process.run(record)
