"""A training with checkpoints is killed, whole, and `--resume` goes on to the result of one that was not."""

import pytest

import bench
from tests.faults.faulty_studies import begin, processes_of, wait_for

pytestmark = pytest.mark.faults

WORDS = (
    *("run", "--model", "lenet-small", "--data", "digits", "--epochs", 3, "--rounds", 1, "--device", "cpu"),
    *("--ranks", 1, "--cores-per-rank", 1, "--batch", 32, "--checkpoint", "last", "--checkpoint-steps", 15),
)

RESULTS = {0, 5}  # a busy machine may make a row INVALID, which is about its speed; no launch failed


def test_the_whole_of_bench_is_killed_and_the_training_goes_on_to_the_same_epochs(
    tmp_path, environment, store, run_bench
) -> None:
    whole = run_bench(*WORDS, "--store", tmp_path / "whole", timeout_s=600)
    assert whole.returncode in RESULTS, whole
    process = begin(WORDS, environment, tmp_path)
    wait_for(lambda: list(store.glob("studies/*/checkpoints/*/epoch*.pt")), timeout_s=300)
    process.kill()
    process.communicate()
    wait_for(lambda: processes_of(tmp_path) == [], timeout_s=60)

    resumed = run_bench(*WORDS, "--resume", timeout_s=600)
    assert resumed.returncode in RESULTS, resumed
    assert "it went on from the checkpoint at epoch" in resumed.stdout
    columns = ["epoch", "train_loss", "train_top1", "validation_loss", "top1", "learning_rate"]
    epochs = [bench.load(place, "epochs")[columns] for place in (tmp_path / "whole", store)]
    assert len(epochs[0]) == 3
    assert epochs[0].equals(epochs[1])
    launches = bench.load(store, "launches")
    assert (launches.attempt[0], launches.status[0]) == (1, "ok")
    assert launches.resumed_epoch.notna()[0]
    assert run_bench("verify", "--store", store).returncode == 0
    assert run_bench("push", tmp_path / "backup", "--store", store).returncode == 0
