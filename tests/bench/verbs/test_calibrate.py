"""`bench calibrate`: one configuration twice a round, and what that says is kept in the store."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from bench.analysis.comparing import calibration
from bench.errors import CannotError, UsageError
from bench.store import index
from bench.verbs import study_refs
from bench.verbs.calibrate import command
from tests.bench.verbs.measured_stores import commit

WORKLOAD = ("--model", "lenet-small", "--input-shape", "3,32,32", "--device", "cpu", "--steps", "40")


@pytest.fixture
def calibrate(tmp_path, monkeypatch):
    """Calibrate in an empty folder on a machine whose launches run at the rates given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_WHEN_BUSY", "share")

    def run(*arguments, rates=()):
        def made_up(plan, store, host, watcher, draining):
            for planned, rate in zip(plan.launches, rates, strict=False):
                commit(store, plan, planned, rate, hw_id=host.fingerprint.hw_id)

        monkeypatch.setattr("bench.study.run", made_up)
        words = [*WORKLOAD, "--store", "results", *arguments]
        return CliRunner().invoke(command, words, catch_exceptions=False, standalone_mode=False)

    return run


def drawn(n):
    return (1000 * np.exp(np.random.default_rng(0).normal(0, 0.01, n))).tolist()


def test_it_launches_one_row_twice_a_round_and_keeps_what_it_found(calibrate, tmp_path):
    rates = drawn(12)
    document = json.loads(calibrate("--rounds", "6", "--json", rates=rates).stdout)
    assert (document["schema"], document["exit"], document["launches"]) == ("bench.calibration/1", 0, 12)
    assert document["cv"]["estimate"] == pytest.approx(np.log(rates).std(ddof=1), rel=1e-3)
    assert (document["disjoint"]["comparisons"], document["halves"]["comparisons"]) == (1, calibration.HALVES)
    plan = index.plan(tmp_path / "results", document["study_id"])
    assert (len(plan.configurations), plan.rounds) == (1, 12)
    (kept,) = study_refs.calibrations([tmp_path / "results"])
    assert kept.study_id == document["study_id"]
    assert kept.detectable[6] == document["detectable"]["6"]


def test_it_tells_spread_alarms_and_what_can_be_told_apart(calibrate):
    text = " ".join(calibrate("--rounds", "6", rates=drawn(12)).stdout.split())
    for found in ("12 launches against themselves", "launch to launch", "0 of 1 comparison of 6 + 6", "from 10 a side"):
        assert found in text


def test_a_dry_run_starts_nothing_and_shows_both_launches_of_every_round(calibrate, tmp_path):
    result = calibrate("--rounds", "3", "--dry-run")
    assert "1 row x 6 rounds = 6 launches" in result.stdout
    assert not (tmp_path / "results").exists()


def test_launches_that_all_failed_calibrate_nothing(calibrate):
    with pytest.raises(CannotError, match="nothing to calibrate on"):
        calibrate("--rounds", "3", rates=())


def test_it_is_of_this_machine_and_refuses_another_launcher(calibrate):
    with pytest.raises(UsageError, match="calibrate is of this machine"):
        calibrate("--launcher", "torchrun", "--nodes", "1", "--rdzv", "localhost:29400")


def test_it_is_one_session_and_cannot_be_resumed(calibrate):
    with pytest.raises(UsageError, match="one session"):
        calibrate("--resume")
