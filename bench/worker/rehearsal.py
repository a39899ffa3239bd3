"""`python -m scaling_bench.module bench.worker.rehearsal`: a rank that trains a few steps and writes down what it sees.

What is rehearsed stands in `rehearsal.json`, in the folder that BENCH_RUN_FOLDER names.
"""

from bench import capsule
from bench.capsule import Rehearsal
from bench.worker import bootstrap, job, process


def record(rank: bootstrap.Rank) -> None:
    """Rehearse, and leave what this rank saw in the launch's folder."""
    from bench.worker import rehearse  # noqa: PLC0415 - torch only after the bootstrap has settled cores and threads

    told = Rehearsal.read(rank.folder)
    place = rehearse.join(rank, told)
    part = rehearse.rehearse(told, place)
    capsule.write_part(capsule.part_file(rank.folder, rank.rank), part)
    job.write_result(rank.folder, rank.rank, {"status": "ok"})
    place.group.leave()
    rank.heart.enter("done")


if __name__ == "__main__":
    process.run(record)
