"""Two real ranks stop together."""

import pytest

import bench

PROFILE = """
[model]
name = "lenet-small"
[data]
name = "digits"
augment = ["crop", "jitter:0.2", "cutout:4"]
[recipe]
learning_rate = 1e-9
mixup = 0.2
clip_norm = 1.0
ema_decay = 0.9
patience = 2
[[recipe.phases]]
from_epoch = 1
mixup = 0.0
augment = ["flip"]
[measure]
epochs = 8
rounds = 1
warmup = 2
[scale]
device = "cpu"
batch = 64
"""


@pytest.mark.slow
def test_ranks_whose_patience_is_over_stop_at_one_epoch_and_say_so(run_bench, tmp_path):
    (tmp_path / "still.toml").write_text(PROFILE)
    ran = run_bench("run", "--profile", "still.toml", "--ranks", "2", "--allow-oversubscribe")
    assert ran.returncode == 0, ran
    launches, epochs = (bench.load(tmp_path / "results", table) for table in ("launches", "epochs"))
    assert launches.status.tolist() == ["ok"]
    assert launches.world_size.tolist() == [2]
    assert launches.weights_equal.tolist() == [True]
    assert epochs.epoch.tolist() == [0, 1, 2]  # at this rate nothing changes, so the first stays the best
    assert any("stopped after 3 of 8 epochs: 2 without a better top-1" in each for each in launches.warnings[0])
