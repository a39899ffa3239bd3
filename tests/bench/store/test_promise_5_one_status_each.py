"""P5: every attempt that was started has exactly one terminal status, once whoever ran it is gone and recovery ran."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import recovery, verifying
from bench.errors import CannotError
from bench.plan import to_json
from bench.store import attempts, index, read
from bench.store.attempts import StaleAttemptError
from bench.store.commit import AlreadyCommittedError, Store
from bench.store.owner import Owner
from bench.store.schema import LaunchRows
from tests.bench.store import dying_writers

LATER = ("crash", "hang", "cancelled", "ok")
STEPS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 1), st.sampled_from(LATER)),
    st.tuples(st.just("die"), st.integers(0, 1), st.sampled_from(["begun", "kept"])),
    st.tuples(st.just("recover"), st.just(0), st.just("")),
    st.tuples(st.just("come back"), st.integers(0, 1), st.sampled_from(LATER)),
)


WALKS = st.lists(STEPS, min_size=1, max_size=8)
UNHURRIED = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=8, derandomize=True, **UNHURRIED)
@given(steps=WALKS)
def test_whatever_happens_every_attempt_ends_once(
    tmp_path_factory, a_study, a_dead_owner, no_waiting_for_the_disk, steps
):
    walk(tmp_path_factory.mktemp("walk"), a_study, a_dead_owner, steps)


@pytest.mark.faults
@settings(max_examples=100, print_blob=True, **UNHURRIED)
@given(steps=WALKS)
def test_whatever_happens_however_often_every_attempt_ends_once(
    tmp_path_factory, a_study, a_dead_owner, no_waiting_for_the_disk, steps
):
    walk(tmp_path_factory.mktemp("walk"), a_study, a_dead_owner, steps)


def walk(folder, a_study, a_dead_owner, steps):
    """Run, die before or after the end, recover, and the slow one that was given up and commits after all."""
    plan, launches, dna = a_study
    root = folder / "results"
    store = Store.open(root)
    store.create_study(to_json(plan))
    begun, given_up = [], []
    for what, place, how in steps:
        planned = launches[place]
        if what == "recover":
            recovery.recover(root)
            continue
        if what == "come back":
            for launch in given_up:
                was = statuses(store, plan)[launch.launch_id, launch.attempt]
                if was is not None:
                    with pytest.raises(AlreadyCommittedError):
                        store.commit(LaunchRows(launch=replace(launch, status=how)))
            continue
        before = index.settled(root, plan.study_id).get(planned.launch_id)
        is_open = any(each.launch_id == planned.launch_id for each in attempts.open_attempts(root, plan.study_id))
        with pytest.MonkeyPatch.context() as patch:
            if what == "die":
                patch.setattr(Owner, "of_this_process", lambda: a_dead_owner)
            row = planned if what == "die" else replace(planned, status=how)
            try:
                launch = dying_writers.run_one(
                    store, row, dna[row.launch_id], until=how if what == "die" else "committed"
                )
            except StaleAttemptError:
                assert is_open
            except CannotError:
                assert before is not None, "only a result keeps a launch from being run"
                assert before.status not in index.UNSETTLED
            else:
                assert not is_open
                begun.append((launch.launch_id, launch.attempt))
                if what == "die":
                    given_up.append(launch)
    recovery.recover(root)
    assert attempts.open_attempts(root, plan.study_id) == []
    ended = [(marker.launch_id, marker.attempt) for marker in index.every_marker(root, plan.study_id)]
    assert sorted(ended) == sorted(begun), "one marker an attempt, and none that nobody began"
    found = {row.launch_id: row for row in read.launches(root, plan.study_id)}
    for launch_id, row in found.items():
        assert row.attempt == max(attempt for name, attempt in begun if name == launch_id)
    wrong = [text for text in verifying.check(root, plan.study_id).wrong if "not complete" not in text]
    assert wrong == []
    shutil.rmtree(folder)


def statuses(store, plan):
    """Every attempt's terminal status; None while it is open."""
    ended = {(each.launch_id, each.attempt): each.status for each in index.every_marker(store.path, plan.study_id)}
    everyone = [(each.launch_id, each.attempt) for each in attempts.attempts(store.path, plan.study_id)]
    return {each: ended.get(each) for each in everyone}


def test_who_was_given_up_and_comes_back_changes_nothing(tmp_path, a_study, a_dead_owner, monkeypatch):
    """The fence: an attempt that was closed as lost stays lost, and its rows are files that nobody reads."""
    plan, launches, dna = a_study
    store = Store.open(tmp_path / "results")
    store.create_study(to_json(plan))
    with monkeypatch.context() as patch:
        patch.setattr(Owner, "of_this_process", lambda: a_dead_owner)
        slow = dying_writers.run_one(store, launches[0], dna[launches[0].launch_id], until="begun")
    assert recovery.recover(store.path).lost[0].launch_id == slow.launch_id
    again = dying_writers.run_one(store, launches[0], dna[slow.launch_id])
    assert (slow.attempt, again.attempt) == (0, 1)

    def see_no_marker(path):
        return path.parent.parent.name != "commits" and Path.is_file(path)

    with monkeypatch.context() as patch:  # it has looked before it was given up, and writes its rows now
        patch.setattr(Path, "exists", see_no_marker)
        with pytest.raises(AlreadyCommittedError):
            store.commit(LaunchRows(launch=replace(slow, throughput_sps=1.0), dna=dna[slow.launch_id]))
    assert read.launches(store.path, plan.study_id) == [again]
    ended = {each.attempt: each.status for each in index.every_marker(store.path, plan.study_id)}
    assert ended == {0: "lost", 1: "ok"}
    assert any("nobody reads it" in note for note in verifying.check(store.path, plan.study_id).notes)
