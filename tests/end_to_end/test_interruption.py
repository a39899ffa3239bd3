"""Ctrl-C in the middle of a study: what was finished is kept, nothing is left running, and --resume goes on."""

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


def test_ctrl_c_keeps_the_finished_launches_and_resume_runs_the_rest(tmp_path, environment, run_bench) -> None:
    asked = [
        "--model",
        "lenet-small",
        "--input-shape",
        "3,32,32",
        "--device",
        "cpu",
        "--ranks",
        "1",
        "--strategy",
        "single",
    ]
    asked += ["--cores-per-rank", "1", "--rounds", "1", "--steps", "30", "--order-seed", "1"]
    store = tmp_path / "results"
    study = subprocess.Popen(
        [str(Path(sys.executable).parent / "bench"), "scale", *asked],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    patience = time.monotonic() + 120
    while committed(store) < 1 and time.monotonic() < patience:
        time.sleep(0.05)
    workers = psutil.Process(study.pid).children(recursive=True)
    while not (workers := psutil.Process(study.pid).children(recursive=True)) and time.monotonic() < patience:
        time.sleep(0.01)
    os.kill(study.pid, signal.SIGINT)
    stdout, stderr = study.communicate(timeout=30)

    assert study.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "not_run" in stdout or "not run" in stdout
    assert committed(store) == 1
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)

    resumed = run_bench("scale", *asked, "--resume")
    assert resumed.returncode == 0, resumed
    launches = bench.load(store, "launches")
    assert list(launches.status) == ["ok", "ok"]
    assert launches.study_id.nunique() == 1
