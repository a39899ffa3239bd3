"""Studies that go wrong on purpose, and what is left of them. Used by the tests beside it."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.store import index, read, schema
from launchers import heartbeat

PROFILE = """
[model]
name = "known-answer"
options = {{ sleep_ms = {sleep_ms}, faults = [{faults}] }}

[data]
input_shape = [3, 8, 8]
classes = 10

[measure]
warmup = 3
steps = {steps}
rounds = {rounds}

[scale]
device = "cpu"
ranks = [{ranks}]
strategy = ["ddp"]
batch = 8
cores_per_rank = 1
allow_oversubscribe = true
"""


def fault(what: str, *, step: int = 20, rank: int | None = 1, launch: str = "r00p00") -> str:
    """One fault as a profile spells it."""
    on = "" if rank is None else f", rank = {rank}"
    return f'{{ what = "{what}", step = {step}, launch = "{launch}"{on} }}'


def study(
    folder: Path, *faults: str, ranks: int = 2, rounds: int = 1, steps: int = 40, sleep_ms: float = 2
) -> tuple[object, ...]:
    """The words after `bench` for a study of one configuration, one launch a round, in which these faults happen."""
    profile = folder / "faulty.toml"
    profile.write_text(
        PROFILE.format(faults=", ".join(faults), ranks=ranks, rounds=rounds, steps=steps, sleep_ms=sleep_ms)
    )
    return ("run", "--profile", profile, "--strategy", "ddp", "--ranks", ranks, "--device", "cpu")


def rows(store: Path) -> list[schema.Launch]:
    """What the store holds of every launch, in the order of the plan."""
    found = (launch for study_id in index.studies(store) for launch in read.launches(store, study_id))
    return sorted(found, key=lambda row: (row.study_id, row.round, row.position))


def outcome(row: schema.Launch) -> tuple[str, int | None]:
    """Status and culprit."""
    return row.status, row.failed_rank


def planned(store: Path) -> list[str]:
    """The ids of all launches that the store's studies were to have."""
    plans = [json.loads(file.read_text()) for file in store.glob("studies/*/study.json")]
    return sorted(launch["launch_id"] for plan in plans for launch in plan["launches"])


def processes_of(folder: Path) -> list[psutil.Process]:
    """Everything that still runs for a study whose results go under this folder: ranks, what they started, guards.

    Known by the environment that they were given, so also those that left their group, session and parent behind.
    """
    found = []
    for process in psutil.process_iter():
        try:
            folders = (process.environ().get("BENCH_STORE", ""), process.environ().get("BENCH_RUN_FOLDER", ""))
            if any(each.startswith(str(folder)) for each in folders) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def end_all(folder: Path) -> None:
    """After a test that failed: leave nothing of it to those that follow."""
    for process in processes_of(folder):
        process.kill()


def wait_for(condition: Callable[[], Any], *, timeout_s: float = 120) -> float:
    """Wait until the condition holds; returns the seconds it took. The limit only keeps a broken build from hanging."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(f"not within {timeout_s:g} s")
        time.sleep(0.01)
    return time.monotonic() - began


def committed(store: Path) -> int:
    return len(list(store.glob("commits/*/*.json")))


def stepping(store: Path, launch: str = "r00p00", *, ranks: int = 2) -> bool:
    """Whether all ranks of a launch are in their window."""
    for folder in store.glob("studies/*/logs/*"):
        if re.search(rf"\.{launch}(\.a\d+)?$", folder.name):
            return all(heartbeat.read(folder, rank).phase == "window" for rank in range(ranks))
    return False


def begin(
    words: tuple[object, ...], environment: Mapping[str, str], cwd: Path, **options: Any
) -> subprocess.Popen[str]:
    """Start `bench` with these words, in a session of its own as a shell would give it."""
    return subprocess.Popen(
        ("bench", *map(str, words)),
        cwd=cwd,
        env=environment,
        executable=str(Path(environment["PATH"].split(os.pathsep)[0]) / "bench"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def inside(
    setup: str,
    words: tuple[object, ...],
    environment: Mapping[str, str],
    cwd: Path,
    *,
    namespaces: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `bench` after a line of shell that makes its surroundings worse, in namespaces of `unshare`."""
    bench = Path(environment["PATH"].split(os.pathsep)[0]) / "bench"
    shell = ("sh", "-c", f'{setup} && exec "$@"', "sh", str(bench), *map(str, words))
    return subprocess.run(
        ("unshare", *namespaces, *shell) if namespaces else shell,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def needs_namespaces(*namespaces: str) -> None:
    """Skip the test where namespaces cannot be made."""
    try:
        tried = subprocess.run(("unshare", *namespaces, "true"), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare here: Linux only")
    if tried.returncode:
        pytest.skip(f"no namespaces without root: {tried.stderr.strip()}")
