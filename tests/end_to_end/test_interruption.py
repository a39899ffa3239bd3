"""Ctrl-C twice in the middle of a study: what was finished is kept, and nothing is left running.

Once, and --resume after it: tests/faults/test_interrupted_studies.py.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

import bench


def committed(store: Path) -> int:
    return len(list(store.glob("commits/*/*.json")))


ASKED = (
    *("--model", "lenet-small", "--input-shape", "3,32,32", "--device", "cpu", "--ranks", "1", "--strategy", "single"),
    *("--cores-per-rank", "1", "--rounds", "2", "--steps", "30", "--order-seed", "1"),
)


def begun(tmp_path: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A study of four launches whose first is committed and whose second has its worker running."""
    study = subprocess.Popen(
        [str(Path(sys.executable).parent / "bench"), "scale", *ASKED],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    patience = time.monotonic() + 120
    while committed(tmp_path / "results") < 1 and time.monotonic() < patience:
        time.sleep(0.05)
    while not (workers := psutil.Process(study.pid).children(recursive=True)) and time.monotonic() < patience:
        time.sleep(0.01)
    return study, workers


def still_running(workers: list[psutil.Process]) -> bool:
    return any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)


def test_a_second_ctrl_c_ends_the_launch_at_once_and_its_row_says_so(tmp_path, environment) -> None:
    study, workers = begun(tmp_path, environment)
    os.kill(study.pid, signal.SIGINT)
    time.sleep(0.2)
    os.kill(study.pid, signal.SIGINT)
    _, stderr = study.communicate(timeout=300)
    assert study.returncode == 130, stderr
    assert list(bench.load(tmp_path / "results", "launches").status) == ["ok", "cancelled"]
    assert not still_running(workers)
