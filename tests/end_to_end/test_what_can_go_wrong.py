"""Bad input and bad luck as a person meets them: a clear message, the right exit code, nothing lost or left running."""

import json
import time

import pandas as pd
import psutil
import pytest

import bench

RAISING = """
def build():
    raise ValueError("the moon is full")
"""

PROFILE = """
[model]
name = "known-answer"
options = {{ sleep_ms = 5, {options} }}

[data]
input_shape = [3, 8, 8]
classes = 10

[measure]
warmup = 3
steps = 40
rounds = 1

[scale]
device = "cpu"
ranks = [2]
strategy = ["ddp"]
batch = 8
cores_per_rank = 1
"""


def profile_in(folder, options: str):
    file = folder / "asked.toml"
    file.write_text(PROFILE.format(options=options))
    return file


def error_lines(ran) -> list[str]:
    """The lines of an error: there are at most four, and no traceback among them."""
    assert "Traceback" not in ran.stderr + ran.stdout
    lines = [line for line in ran.stderr.splitlines() if not line.startswith(("Plan", "Rows", "Study"))]
    assert 1 <= len(lines) <= 4, ran.stderr
    return lines


def orphans() -> list[psutil.Process]:
    """Workers that outlived the study of this test; those of a study beside it are not ours."""
    workers = (each for each in psutil.process_iter(["cmdline"]) if "bench.worker" in (each.info["cmdline"] or ()))
    return [each for each in workers if each.ppid() == 1]


def test_a_users_module_that_raises_is_named_with_its_own_words(run_bench, tmp_path) -> None:
    (tmp_path / "mine.py").write_text(RAISING)
    ran = run_bench("scale", "--model", "mine.py:build", "--ranks", "1", "--quick", "--device", "cpu")
    assert ran.returncode == 2
    assert any("the moon is full" in line for line in error_lines(ran))


def test_a_torn_data_set_ends_the_study_before_anything_is_trained(run_bench, tmp_path) -> None:
    torn = tmp_path / "cifar-10-batches-py"
    torn.mkdir()
    (torn / "data_batch_1").write_bytes(b"half a file")
    ran = run_bench("run", "--model", "lenet-small", "--data", "cifar10", "--data-dir", torn, "--device", "cpu")
    assert ran.returncode in (2, 3)
    assert any("cifar" in line.lower() for line in error_lines(ran))


def test_a_store_that_cannot_be_written_is_refused_before_any_process_starts(run_bench, tmp_path) -> None:
    (tmp_path / "file").write_text("not a folder")
    ran = run_bench("scale", "--store", tmp_path / "file" / "store")
    assert ran.returncode in (2, 3)
    assert "launch" not in ran.stderr
    error_lines(ran)


def test_a_machine_without_a_gpu_answers_gpus_at_once_and_says_what_would_run(run_bench) -> None:
    began = time.monotonic()
    bare = run_bench("--version")
    bare_s = time.monotonic() - began
    ran = run_bench("scale", "--model", "resnet50", "--gpus", "1,2,4", CUDA_VISIBLE_DEVICES="")
    assert bare.returncode == 0
    assert ran.returncode == 3
    assert any("--device cpu" in line for line in error_lines(ran))
    # A ratio, not seconds: no torch, no pandas, no scipy on the way, each of which takes ten times an empty start.
    assert time.monotonic() - began - bare_s < 20 * bare_s


def test_the_same_error_as_one_json_document(run_bench) -> None:
    ran = run_bench("scale", "--model", "resnet50", "--gpus", "4", "--json", CUDA_VISIBLE_DEVICES="")
    document = ran.json()
    assert document["schema"] == "bench.error/1"
    assert document["exit"] == ran.returncode == 3
    assert set(document["error"]) == {"code", "message", "hint"}


def test_a_loss_that_becomes_nan_makes_the_row_invalid_and_gives_no_speedup(run_bench, tmp_path) -> None:
    ran = run_bench("scale", "--profile", profile_in(tmp_path, "nan_at_step = 20"), "--json")
    rows = ran.json()["rows"]
    assert ran.returncode == 5
    assert [row["verdict"] for row in rows] == ["INVALID"] * len(rows)
    assert all(row["speedup"] is None for row in rows if row["strategy"] == "ddp")
    assert any("not finite" in reason or "NaN" in reason for row in rows for reason in row["reasons"])


def test_a_rank_that_crashes_is_named_its_traceback_is_kept_and_the_other_rows_stand(run_bench, tmp_path) -> None:
    ran = run_bench(
        "scale", "--profile", profile_in(tmp_path, 'faults = [{ what = "raise", step = 20, rank = 1 }]'), "--json"
    )
    assert ran.returncode == 5
    rows = {row["strategy"]: row for row in ran.json()["rows"]}
    assert rows["single"]["throughput"] is not None
    assert rows["ddp"]["status"] == "crash"
    launches = bench.load(tmp_path / "results", "launches")
    failed = launches[launches.status == "crash"].iloc[0]
    assert failed.failed_rank == 1
    [log] = (tmp_path / "results").glob(f"studies/*/logs/{failed.launch_id}/rank1.log")
    assert "Traceback" in log.read_text()
    assert pd.isna(failed.throughput_sps)
    assert json.loads(failed.unavailable)["throughput_sps"]
    assert orphans() == []


@pytest.mark.faults
@pytest.mark.slow
def test_a_rank_that_hangs_ends_as_a_row_in_bounded_time_and_no_innocent_is_blamed(run_bench, tmp_path) -> None:
    ran = run_bench(
        "scale",
        "--profile",
        profile_in(tmp_path, 'faults = [{ what = "hang", step = 20, rank = 1 }]'),
        "--json",
        BENCH_STALL="15",
        timeout_s=120,
    )
    assert ran.returncode == 5
    rows = {row["strategy"]: row for row in ran.json()["rows"]}
    assert rows["single"]["status"] in ("ok", "suspect")
    assert rows["ddp"]["status"] == "hang"
    launches = bench.load(tmp_path / "results", "launches")
    # Both stand at the same step, one asleep in it and one waiting for it: from heartbeats alone nobody can be named.
    blamed = launches[launches.status == "hang"].failed_rank
    assert blamed.isna().all() or (blamed == 1).all()
    assert orphans() == []
