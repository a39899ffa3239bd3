"""A study small enough to be written hundreds of times, and the programs that write it and die."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from bench.store import fsops


@pytest.fixture
def a_study(a_plan, a_launch, a_dna):
    """Its plan, the launches of its first round, and what machine each ran on."""
    plan = a_plan()
    launches = [a_launch(plan, place) for place in range(2)]
    return plan, launches, {launch.launch_id: a_dna(launch) for launch in launches}


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch):
    """For what reads back after a kill, which loses nothing that the kernel has."""
    monkeypatch.setattr(fsops, "_sync", lambda handle: None)


@pytest.fixture
def die_everywhere(tmp_path, a_study):
    """Run a scenario of dying_writers.py once a numbered call; one answer a child."""

    def run(scenario, variable):
        (tmp_path / "study.pickle").write_bytes(pickle.dumps(a_study))
        program = Path(__file__).with_name("dying_writers.py")
        told = subprocess.run(
            [sys.executable, "-P", program, scenario, variable, tmp_path],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    return run
