"""A launch's checkpoints lie with its last attempt, and decide what --resume runs again."""

from dataclasses import replace

import pytest

from bench.errors import CannotError
from bench.plan import Checkpointing, from_json, to_json
from bench.store import attempts, index, schema
from bench.store.commit import Store
from bench.store.layout import Layout
from bench.store.schema import LaunchRows


def test_each_attempt_takes_over_what_the_one_before_it_left(tmp_path):
    layout = Layout(tmp_path)
    first = attempts.resumed_checkpoints(layout, "study", "study.r00p00", 0)
    (first / "epoch0001.pt").write_bytes(b"one")
    assert attempts.resumed_checkpoints(layout, "study", "study.r00p01", 0) != first
    third = attempts.resumed_checkpoints(layout, "study", "study.r00p00", 2)  # attempt 1 died before it had a folder
    assert (third / "epoch0001.pt").read_bytes() == b"one"
    assert not first.exists(), "a rank of the first attempt that still runs has nowhere to write"
    assert [file.name for file in attempts.checkpoints_of(layout, "study", "study.r00p00", 2)] == ["epoch0001.pt"]
    assert attempts.checkpoints_of(layout, "study", "study.r00p00", 0) == []


@pytest.mark.parametrize("status", ["crash", "killed", "oom_kill", "timeout", "hang", "lost", "cancelled"])
def test_a_launch_that_keeps_checkpoints_is_gone_on_with_however_it_failed(tmp_path, a_plan, a_launch, a_dna, status):
    plan = a_plan(keep=Checkpointing(checkpoint=("last",)))
    store = Store.open(tmp_path / "store")
    store.create_study(to_json(plan))
    assert index.plan(store.path, plan.study_id) == plan
    launch = a_launch(plan, 0, status=status, reason="told so", throughput_sps=None)
    store.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    assert launch.launch_id in {each.launch_id for each in index.unsettled(store.path, plan)}
    begun = attempts.begin(store, plan.study_id, launch.launch_id, again=index.run_again(plan))
    assert begun.attempt == 1


def test_without_checkpoints_a_crash_is_a_result(tmp_path, a_plan, a_launch, a_dna):
    plan = a_plan()
    store = Store.open(tmp_path / "store")
    store.create_study(to_json(plan))
    launch = a_launch(plan, 0, status="crash", reason="told so", throughput_sps=None)
    store.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    assert launch.launch_id not in {each.launch_id for each in index.unsettled(store.path, plan)}
    with pytest.raises(CannotError, match="has a result already"):
        attempts.begin(store, plan.study_id, launch.launch_id, again=index.run_again(plan))


def test_every_failure_there_is_can_be_gone_on_with():
    assert set(index.UNSETTLED_KEPT) == set(schema.FAILURES)


def test_a_plan_of_before_there_were_checkpoints_is_read(a_plan):
    document = to_json(a_plan())
    del document["keep"]
    assert from_json(document) == replace(a_plan(), keep=Checkpointing())
