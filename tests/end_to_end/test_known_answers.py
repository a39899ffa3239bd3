"""Real processes, real Gloo, and answers known in advance: a model that sleeps 100 ms a step at batch 32 makes 320 samples/s."""

import pandas as pd
import pytest

import bench

PROFILE = """
[model]
name = "{model}"
{options}

[data]
name = "synthetic"
input_shape = [3, 8, 8]
classes = 10

[measure]
warmup = 3
steps = {steps}
rounds = {rounds}

[scale]
device = "cpu"
ranks = [{ranks}]
batch = 32
cores_per_rank = 1
allow_oversubscribe = true
"""

SLEEPER = """
import time
from torch import nn

class Sleeper(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(__import__("torch").ones(10))

    def forward(self, images):
        time.sleep(0.1)
        return images.flatten(1)[:, :10] * self.scale

def build():
    return Sleeper()
"""


def profile_in(folder, *, model="known-answer", ranks="2", steps=12, rounds=1, **options):
    file = folder / "asked.toml"
    written = "\n".join(["[model.options]", *(f"{name} = {value}" for name, value in options.items())]) if options else ""
    file.write_text(PROFILE.format(model=model, options=written, ranks=ranks, steps=steps, rounds=rounds))
    return file


def rows_of(finished) -> dict:
    return {(row["strategy"], row["ranks"], row["cores_per_rank"]): row for row in finished.json()["rows"]}


def test_a_sleep_of_100_ms_reads_320_on_one_rank_and_twice_and_three_times_that_on_two_and_three(run_bench, tmp_path) -> None:
    file = profile_in(tmp_path, ranks="2, 3")
    finished = run_bench("scale", "--profile", file, "--json")
    assert finished.returncode == 0, finished.stderr
    rows = rows_of(finished)
    rate = {ranks: rows[strategy, ranks, 1]["throughput"]["estimate"] for strategy, ranks in (("single", 1), ("ddp", 2), ("ddp", 3))}
    assert rate[1] == pytest.approx(320, rel=0.01)
    assert rate[2] / rate[1] == pytest.approx(2, rel=0.01)
    assert rate[3] / rate[1] == pytest.approx(3, rel=0.01)
    assert rows["ddp", 2, 1]["speedup"]["estimate"] == pytest.approx(rate[2] / rate[1], rel=0.001)
    assert rows["ddp", 2, 1]["efficiency"]["estimate"] == pytest.approx(1, rel=0.01)

    # Warm-up steps are stored, marked, and absent from the throughput.
    steps = bench.load(finished.store, "steps")
    assert set(steps.groupby("launch_id").phase.value_counts().unstack().itertuples(index=False, name=None)) == {
        (3, 12), (6, 24), (9, 36)
    }
    launches = bench.load(finished.store, "launches")
    assert (launches.window_samples == 32 * 12 * launches.ranks).all()
    assert (launches.closure_error < 0.001).all()
    assert launches.weights_moved.all()
    assert (launches.world_size == launches.ranks).all()
    assert pd.isna(launches.loc[launches.ranks == 1, "weights_equal"]).all()
    assert launches.loc[launches.ranks > 1, "weights_equal"].all()


def test_a_straggler_that_sleeps_twice_as_long_on_one_rank_halves_the_rate_of_all(run_bench, tmp_path) -> None:
    file = profile_in(tmp_path, straggler_rank=1, straggler_factor=2.0)
    row = run_bench("run", "--profile", file, "--strategy", "ddp", "--ranks", "2", "--json").json()["rows"][-1]
    assert row["throughput"]["estimate"] == pytest.approx(320, rel=0.01)  # 2 x 32 samples in 200 ms


def test_a_model_from_a_users_own_file_is_measured_the_same_way(run_bench, tmp_path) -> None:
    (tmp_path / "mine.py").write_text(SLEEPER)
    file = profile_in(tmp_path, model=f"{tmp_path}/mine.py:build")
    row = run_bench("run", "--profile", file, "--strategy", "ddp", "--ranks", "2", "--json").json()["rows"][-1]
    assert row["throughput"]["estimate"] == pytest.approx(640, rel=0.01)


@pytest.mark.slow
def test_ten_milliseconds_read_3200_within_two_percent(run_bench, tmp_path) -> None:
    file = profile_in(tmp_path, steps=100, sleep_ms=10)
    row = run_bench("run", "--profile", file, "--strategy", "single", "--ranks", "1", "--json").json()["rows"][-1]
    assert row["throughput"]["estimate"] == pytest.approx(3200, rel=0.02)


@pytest.mark.slow
def test_in_six_rounds_the_speedups_are_two_and_three_with_intervals_that_say_so(run_bench, tmp_path) -> None:
    finished = run_bench("scale", "--profile", profile_in(tmp_path, ranks="2, 3", rounds=6), "--json", timeout=900)
    rows = rows_of(finished)
    for ranks in (2, 3):
        row = rows["ddp", ranks, 1]
        assert row["verdict"] == "FASTER"
        assert row["speedup"]["estimate"] == pytest.approx(ranks, rel=0.01)
        assert row["speedup"]["high"] - row["speedup"]["low"] < 0.02 * ranks
    assert rows["single", 1, 2]["verdict"] == "EQUIVALENT"  # a second core does not shorten a sleep
