"""One of many processes that write the same studies; each says on stdout what it was told is safe.

    python rival_writers.py WORK SEED

A study's launches are taken in a random order, so that rivals meet at them. It ends when nothing is left to run.
"""

import pickle
import random
import sys
from pathlib import Path

from bench import recovery
from bench.errors import CannotError
from bench.store import index
from bench.store.commit import Store
from tests.bench.store import dying_writers


def main(work, seed):
    rng = random.Random(seed)
    plans, launches, dna = pickle.loads((work / "study.pickle").read_bytes())  # noqa: S301 - our own test's
    store = Store(work / "results")
    while todo := [each.launch_id for plan in plans for each in index.unsettled(store.path, plan, [])]:
        for plan in plans:
            recovery.close_stale(store, plan.study_id)
        launch_id = rng.choice(todo)
        try:
            done = dying_writers.run_one(store, launches[launch_id], dna[launch_id])
        except CannotError:  # somebody else runs it, or was faster
            continue
        print(f"{done.launch_id} {done.attempt}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
