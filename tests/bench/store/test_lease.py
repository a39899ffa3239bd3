"""Liveness where no process can be looked for: only the living change their file, and what they finish is kept."""

import os
import threading
from dataclasses import replace

import pytest

from bench import recovery, resuming
from bench.errors import CannotError
from bench.plan import to_json
from bench.store import attempts, index, read
from bench.store.commit import Store
from bench.store.layout import Layout
from bench.store.owner import Owner
from bench.store.schema import LaunchRows
from tests.bench.store import dying_writers

LEASE_S = 0.6


@pytest.fixture
def store(tmp_path, a_study):
    store = Store.open(tmp_path / "results")
    store.create_study(to_json(a_study[0]))
    return store


@pytest.fixture
def other_host(monkeypatch):
    """A process of another host that shares the store."""
    return replace(Owner.of_this_process(), token="e" * 32, boot="another")


@pytest.fixture
def begun(store, a_study, other_host, monkeypatch):
    """The first launch, begun there; until it is kept or committed, if so wanted."""

    def begin(lease_s=LEASE_S):
        with monkeypatch.context() as patch:
            patch.setattr(Owner, "of_this_process", lambda: other_host)
            return attempts.begin(store, a_study[0].study_id, a_study[1][0].launch_id, lease_s=lease_s)

    return begin


class Clock:
    """Time that passes by sleeping only; something may happen meanwhile."""

    def __init__(self, meanwhile=lambda now_s: None, stopped_s=0.0):
        self.now_s, self.meanwhile, self.stopped_s = 0.0, meanwhile, stopped_s

    def sleep(self, duration_s):
        self.now_s += duration_s + self.stopped_s
        self.stopped_s = 0.0
        self.meanwhile(self.now_s)

    def __call__(self):
        return self.now_s


def beat(store, attempt, text):
    file = store.path / "studies" / attempt.study_id / "beats" / attempt.owner.token
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def test_who_is_heard_lives_and_the_listening_ends_at_once(store, begun):
    attempt, clock = begun(60.0), Clock()
    clock.meanwhile = lambda now_s: beat(store, attempt, "1") if now_s > 4 else None
    assert attempts.silent(store.path, [attempt], clock.sleep, clock) == set()
    assert clock.now_s < 6


def test_who_is_silent_for_a_whole_lease_is_gone_and_not_before(store, begun):
    attempt, clock = begun(60.0), Clock()
    beat(store, attempt, "1")
    assert attempts.silent(store.path, [attempt], clock.sleep, clock) == {attempt}
    assert 60 <= clock.now_s < 62


@pytest.mark.parametrize("age_s", [-(10**9), 10**6], ids=["a clock far behind", "a clock far ahead"])
def test_no_two_clocks_are_compared(store, begun, age_s):
    attempt, clock = begun(60.0), Clock()
    file = beat(store, attempt, "1")

    def meanwhile(now_s):
        file.write_text(f"{now_s}")
        os.utime(file, (1_700_000_000 + age_s, 1_700_000_000 + age_s))

    clock.meanwhile = meanwhile
    assert attempts.silent(store.path, [attempt], clock.sleep, clock) == set()


def test_a_listener_that_was_stopped_has_not_listened_meanwhile(store, begun):
    attempt, clock = begun(60.0), Clock(stopped_s=3600.0)
    clock.meanwhile = lambda now_s: beat(store, attempt, "1") if now_s > 3650 else None
    assert attempts.silent(store.path, [attempt], clock.sleep, clock) == set()


def test_of_an_attempt_that_promised_no_sign_nothing_is_known(store, begun):
    attempt = begun(0.0)
    assert attempts.silent(store.path, [attempt]) == set()
    assert attempts.owners(store.path, [attempt]).unknown == [attempt]


def test_whoever_holds_a_lease_is_heard_and_leaves_nothing_behind(store, begun):
    attempt = begun()
    with attempts.held(store.path, attempt.study_id, attempt.owner.token, LEASE_S):
        assert recovery.close_stale(store, attempt.study_id).running == [attempt]
        with pytest.raises(CannotError, match=r"run by process \d+ of another host or container"):
            resuming.prepare_resume(store, attempt.study_id)
    assert list((store.path / "studies" / attempt.study_id / "beats").iterdir()) == []
    assert "lease" not in {thread.name for thread in threading.enumerate()}


def test_a_disk_that_takes_no_sign_costs_the_sign_alone(tmp_path):
    with attempts.held(tmp_path / "nowhere", "study", "token", LEASE_S):
        pass


def test_the_silent_are_closed_and_it_is_said_that_somebody_listens(store, begun):
    attempt, said = begun(), []
    found = recovery.close_stale(store, attempt.study_id, tell=said.append)
    assert [each.launch_id for each in found.lost] == [attempt.launch_id]
    assert "Listening for up to 1 s" in said[0]


@pytest.fixture
def finish(store, a_study):
    """What whoever began an attempt does at its end, slow as it was."""
    plan, launches, dna = a_study

    def write(attempt, status="ok", *, commit=True):
        launch = replace(launches[0], attempt=attempt.attempt, status=status)
        folder = Layout(store.path).folder(plan.study_id, launch.launch_id, attempt.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        dying_writers.leave(folder, launch.ranks)
        if not (folder / recovery.OUTCOME).exists():
            recovery.reserve(folder)
        steps = dying_writers.steps_left(folder, launch)
        rows = LaunchRows(launch=launch, steps=steps, dna=dna[launch.launch_id])
        recovery.keep(folder, rows)
        if not commit:
            return launch, None
        return store.commit_late(plan, rows)

    return write


def given_up(store, attempt):
    assert recovery.recover(store.path, force=True).lost[0].launch_id == attempt.launch_id


def test_a_result_that_comes_late_is_kept_and_is_not_run_again(store, begun, finish, a_study):
    attempt = begun()
    given_up(store, attempt)
    row, found = finish(attempt)
    assert row.attempt == 1
    assert "given up as lost" in found
    assert read.launches(store.path, attempt.study_id) == [row]
    assert attempt.launch_id not in [each.launch_id for each in index.unsettled(store.path, a_study[0])]


def test_of_two_results_the_first_that_was_committed_counts_and_the_other_is_named(store, begun, finish, a_study):
    attempt = begun()
    given_up(store, attempt)
    again = dying_writers.run_one(store, a_study[1][0], a_study[2][attempt.launch_id])
    _, found = finish(attempt)
    assert "has another result by now: this one (ok) is kept in" in found
    assert read.launches(store.path, attempt.study_id) == [again]
    assert recovery.recover(store.path, force=True).finished == []


def test_a_rival_that_is_still_at_it_does_not_take_the_place_of_a_late_result(store, begun, finish, a_study):
    attempt = begun()
    given_up(store, attempt)
    rival = dying_writers.run_one(store, a_study[1][0], a_study[2][attempt.launch_id], until="begun")
    row, _ = finish(attempt)
    assert (rival.attempt, row.attempt) == (1, 2)
    store.commit(LaunchRows(launch=rival))
    assert read.launches(store.path, attempt.study_id) == [row]


def test_a_late_result_counts_also_when_its_rival_is_lost(store, begun, finish, a_study):
    attempt = begun()
    given_up(store, attempt)
    row, _ = finish(attempt)
    rival = attempts.begin_late(store, attempt.study_id, attempt.launch_id)
    assert rival.attempt == 2
    recovery.recover(store.path, force=True)
    assert read.launches(store.path, attempt.study_id) == [row]


def test_what_was_saved_by_who_recovered_it_is_saved(store, begun, finish):
    attempt = begun()
    finish(attempt, commit=False)
    assert [each.status for each in recovery.recover(store.path, force=True).finished] == ["ok"]
    row, found = finish(attempt)
    assert (row.attempt, found) == (0, None)


def test_a_late_result_whose_owner_died_before_it_could_be_committed_is_found(store, begun, finish):
    attempt = begun()
    given_up(store, attempt)
    finish(attempt, commit=False)
    (found,) = recovery.recover(store.path).finished
    assert (found.status, found.attempt) == ("ok", 1)
    assert read.launches(store.path, attempt.study_id) == [found]
    assert recovery.recover(store.path).finished == []


@pytest.mark.parametrize("status", ["cancelled", "lost"])
def test_a_late_ending_that_says_nothing_is_left_where_it_is(store, begun, finish, status):
    attempt = begun()
    given_up(store, attempt)
    row, found = finish(attempt, status)
    assert row.attempt == 0
    assert "is kept in" in found
