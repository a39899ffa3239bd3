"""A study small enough to be written hundreds of times, and the programs that write it and die."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.plan import to_json
from bench.store import fsops
from bench.store.commit import Store
from bench.store.owner import Owner
from tests.bench.store import dying_writers


@pytest.fixture
def a_study(a_plan, a_launch, a_dna):
    """Its plan, the launches of its first round, and what machine each ran on."""
    plan = a_plan()
    launches = [a_launch(plan, place) for place in range(2)]
    return plan, launches, {launch.launch_id: a_dna(launch) for launch in launches}


@pytest.fixture
def a_dead_owner():
    """A process of this machine that has ended."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    return replace(Owner.of_this_process(), pid=ended.pid)


@pytest.fixture
def half_done(tmp_path, a_study, a_dead_owner, monkeypatch):
    """A study whose writer died with one launch ended but not committed, and one under way."""
    plan, launches, dna = a_study
    store = Store.open(tmp_path / "before")
    store.create_study(to_json(plan))
    with monkeypatch.context() as patch:
        patch.setattr(Owner, "of_this_process", lambda: a_dead_owner)
        for launch, until in zip(launches, ("kept", "begun"), strict=True):
            dying_writers.run_one(store, launch, dna[launch.launch_id], until=until)
    return store.path


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch):
    """For what reads back after a kill, which loses nothing that the kernel has."""
    monkeypatch.setattr(fsops, "_sync", lambda handle: None)


@pytest.fixture
def die_everywhere(tmp_path, a_study):
    """Run a scenario of dying_writers.py at every `stride`-th numbered call; one answer a child."""

    def run(scenario, variable, stride):
        (tmp_path / "study.pickle").write_bytes(pickle.dumps(a_study))
        program = Path(__file__).with_name("dying_writers.py")
        ran = subprocess.run(
            [sys.executable, "-P", program, scenario, variable, tmp_path, str(stride)],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,  # a minute on a quiet machine
        )
        assert ran.returncode == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]

    return run
