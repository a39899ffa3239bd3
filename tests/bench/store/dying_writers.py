"""Writers that die, or run out of room, at each numbered call in turn: a program, so that its forks hold no torch.

    python dying_writers.py SCENARIO VARIABLE WORK STRIDE

Forks a child for every STRIDE-th number, until one survives; WORK/N is the store that child N wrote. Prints a line of
JSON a child: its number, how it ended, and which launches it was told are safe.
"""

import errno
import itertools
import json
import os
import pickle
import shutil
import signal
import sys
import traceback
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd  # noqa: F401 - pyarrow would import it in every child anew

from bench import recovery
from bench.errors import CannotError
from bench.outcome.measured import read_ranks
from bench.plan import to_json
from bench.store import fsops, packing, packs, schema
from bench.store.attempts import begin
from bench.store.commit import Store
from bench.store.layout import Layout
from bench.store.schema import LaunchRows
from bench.worker import job

SAID, ODD = 3, 70  # exit codes of a child: it said what went wrong; it did not


def leave(folder, ranks):
    """What ranks leave in a launch's folder when all is well."""
    for rank in range(ranks):
        steps = {
            name: np.arange(1, 6)
            for name in ("epoch", "step", "start_ns", "step_ns", "data_wait_ns", "samples", "steps")
        }
        np.savez(job.steps_file(folder, rank), **steps, in_window=np.array([0, 0, 1, 1, 1]))
        facts = dict.fromkeys((each.name for each in fields(job.RankResult)), 0)  # what it says is not looked at here
        job.write_result(folder, rank, {"status": "ok", **facts, "epochs": [], "layers": []})


def processes_of(launch):
    return launch.ranks if launch.strategy == "ddp" else 1


def steps_left(folder, launch):
    """The step table that the ranks of a launch have left."""
    arrays = [rank.arrays for rank in read_ranks(folder, processes_of(launch))]
    return schema.steps_of_ranks(launch.study_id, launch.launch_id, arrays)


def run_one(store, launch, dna, *, until="committed"):
    """All that happens to a store while one launch runs; stops early on demand, as a death does."""
    attempt = begin(store, launch.study_id, launch.launch_id)
    launch = type(launch)(**{**vars(launch), "attempt": attempt.attempt})
    folder = Layout(store.path).folder(launch.study_id, launch.launch_id, launch.attempt)
    folder.mkdir(parents=True)
    recovery.reserve(folder)
    if until == "begun":
        return launch
    leave(folder, processes_of(launch))
    rows = LaunchRows(launch=launch, steps=steps_left(folder, launch), dna=dna)
    recovery.keep(folder, rows)
    if until == "kept":
        return launch
    store.commit(rows)
    return launch


def write_a_study(root, plan, launches, dna, acknowledge):
    """From nothing to a whole study."""
    store = Store.open(root)
    store.create_study(to_json(plan))
    for launch in launches:
        acknowledge(run_one(store, launch, dna[launch.launch_id]).launch_id)


def recover_a_study(root, plan, launches, dna, acknowledge):
    """After a death: the store holds one launch that had ended, and one that was under way."""
    found = recovery.recover(root)
    for launch in (*found.finished, *found.lost):
        acknowledge(launch.launch_id)


def write_without_links(*given):
    """The same on a file system that has no hard links."""
    Path.hardlink_to = lambda self, target: fail(errno.EPERM)
    write_a_study(*given)


def pack_a_study(root, plan, launches, dna, acknowledge):
    """A study that has ended; few launches count as many."""
    packs.FEWEST_LAUNCHES = 1
    assert packing.pack(Store(root), plan.study_id)
    acknowledge("packed")


def fail(code):
    raise OSError(code, os.strerror(code))


SCENARIOS = {"write": write_a_study, "write without links": write_without_links, "recover": recover_a_study}
SCENARIOS["pack"] = pack_a_study


def child(scenario, variable, number, work):
    root, acknowledged = work / str(number), work / f"{number}.acknowledged"
    plan, launches, dna = pickle.loads((work / "study.pickle").read_bytes())  # noqa: S301 - our own test's
    os.environ[variable] = str(number)
    with acknowledged.open("a", buffering=1) as found:
        try:
            SCENARIOS[scenario](root, plan, launches, dna, lambda launch_id: found.write(f"{launch_id}\n"))
        except CannotError as error:
            found.write(f"! {error}\n")
            return SAID
    return 0


def main(scenario, variable, work, stride):
    fsops._sync = lambda handle: None  # SIGKILL takes nothing that the kernel has: there is no need to wait for a disk
    for number in itertools.count(1, stride):
        if (work / "before").is_dir():
            shutil.copytree(work / "before", work / str(number))
        pid = os.fork()
        if pid == 0:
            code = ODD
            try:
                code = child(scenario, variable, number, work)
            except BaseException:  # noqa: BLE001 - a fork must end here, whatever happens
                traceback.print_exc()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        found = work / f"{number}.acknowledged"
        print(json.dumps({"number": number, "code": code, "told": found.read_text().split("\n")[:-1]}))
        if code not in (SAID, -signal.SIGKILL):
            return code
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3], Path(sys.argv[3]), int(sys.argv[4])))
