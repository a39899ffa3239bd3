"""P2: a launch that was not acknowledged is absent or whole, never half-read; wherever its writer died."""

import errno
import json
import shutil
import signal
import warnings

import dying_writers
import pytest

from bench import recovery
from bench.plan import to_json
from bench.store import attempts, fsops, index, read
from bench.store.commit import Store


def rows_as_written(root, a_study):
    """What the real readers find; fails at anything that is there and not whole."""
    plan, launches, _ = a_study
    written = {launch.launch_id: launch for launch in launches}
    if plan.study_id not in index.studies(root):
        return {}
    assert index.plan(root, plan.study_id) == plan
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a DamageWarning would be a launch half there
        found = {launch.launch_id: launch for launch in read.launches(root, plan.study_id)}
        steps = read.steps(root, plan.study_id)
        frame = read.load(root, "launches")
        assert len(read.dna(root, plan.study_id)) == sum(launch.status == "ok" for launch in found.values())
    assert set(frame["launch_id"]) == set(found)
    for launch_id, launch in found.items():
        if launch.status == "ok":
            expected = written[launch_id]
            assert launch == type(launch)(**{**vars(expected), "attempt": launch.attempt})
            assert len(steps[launch_id]["step_ns"]) == 5 * (expected.ranks if expected.strategy == "ddp" else 1)
        else:
            assert launch.status == "lost"
            assert launch_id not in steps
    return found


def finish(root, a_study):
    """What --resume does: close what is open, then run what is not settled."""
    plan, launches, dna = a_study
    store = Store.open(root)
    if plan.study_id not in index.studies(root):
        store.create_study(to_json(plan))
    recovered = recovery.recover(root)
    assert attempts.open_attempts(root, plan.study_id) == []
    again = recovery.recover(root)
    assert not again.finished, "a second recovery has nothing to do"
    assert not again.lost
    to_run = {each.launch_id for each in index.unsettled(root, plan)}
    for launch in launches:
        if launch.launch_id in to_run:
            dying_writers.run_one(store, launch, dna[launch.launch_id])
    found = rows_as_written(root, a_study)
    assert {launch_id: launch.status for launch_id, launch in found.items()} == dict.fromkeys(dna, "ok")
    return recovered


@pytest.fixture
def half_done(tmp_path, a_study):
    """A study whose writer died with one launch ended but not committed, and one under way."""
    plan, launches, dna = a_study
    before = tmp_path / "before"
    store = Store.open(before)
    store.create_study(to_json(plan))
    for launch, until in zip(launches, ("kept", "begun"), strict=True):
        dying_writers.run_one(store, launch, dna[launch.launch_id], until=until)
    for file in (before / "studies").rglob("*.a0.json"):  # a process that is gone: this one goes on
        told = json.loads(file.read_bytes())
        told["owner"] |= {"token": "0" * 32, "pid": 2**22 + 1, "boot": "", "host": ""}
        told["owner"] = vars(attempts.Owner.of_this_process()) | {"token": attempts.Owner.of_this_process().token}
        file.write_text(json.dumps(told))
    return before


@pytest.mark.usefixtures("no_waiting_for_the_disk")
def test_a_writer_killed_at_any_call_leaves_launches_that_are_absent_or_whole(tmp_path, a_study, die_everywhere):
    answers = die_everywhere("write", "BENCH_CRASH_AT")
    assert {answer["code"] for answer in answers[:-1]} == {-signal.SIGKILL}
    assert len(answers) > 60, "every call of a store, a study, two attempts and two commits is numbered"
    finished = 0
    for answer in answers:
        root = tmp_path / str(answer["number"])
        if (root / "FORMAT").exists():
            found = rows_as_written(root, a_study)
            assert set(answer["told"]) <= set(found), answer
        finished += len(finish(root, a_study).finished)
        shutil.rmtree(root)
    assert finished > 20, "a launch that had ended when its writer was killed is not run again"
