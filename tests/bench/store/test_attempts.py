"""Who runs a launch is known before it starts, names no machine, and keeps everybody else away."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.errors import CannotError
from bench.plan import to_json
from bench.store import attempts, index
from bench.store.attempts import StaleAttemptError, begin
from bench.store.commit import Store
from bench.store.owner import Owner
from bench.store.schema import LaunchRows


@pytest.fixture
def store(tmp_path, a_plan):
    store = Store.open(tmp_path / "results")
    store.create_study(to_json(a_plan()))
    return store


@pytest.fixture
def begun_by(store, a_study, monkeypatch):
    """Begin the first launch as somebody else."""

    def begin_as(owner):
        with monkeypatch.context() as patch:
            patch.setattr(Owner, "of_this_process", lambda: owner)
            return begin(store, a_study[0].study_id, a_study[1][0].launch_id)

    return begin_as


@pytest.fixture
def a_living_process():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate()


def owner_of(process):
    """As that process would say of itself."""
    from bench.store import owner

    return replace(
        Owner.of_this_process(), token="f" * 32, pid=process.pid, process_start=owner._process_start(process.pid),
        boot=owner._keyed("f" * 32, owner._boot()),
    )  # fmt: skip


def test_this_process_lives_and_one_that_ended_does_not(a_dead_owner):
    assert Owner.of_this_process().alive() is True
    assert a_dead_owner.alive() is False


def test_a_later_process_of_the_same_number_is_another():
    assert replace(Owner.of_this_process(), process_start="17").alive() is False


def test_a_process_that_was_not_collected_by_its_parent_is_dead(a_living_process):
    owner = owner_of(a_living_process)
    assert owner.alive() is True
    a_living_process.kill()
    os.waitid(os.P_PID, a_living_process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.alive() is False


@pytest.mark.parametrize(
    "place",
    [{"boot": "another", "host": "another"}, {"boot": "another"}, {"pid_space": 1}, {"boot": ""}],
    ids=[
        "another machine",
        "another start, or a copy",
        "another container",
        "a machine without a boot id",
    ],
)
def test_of_another_place_nothing_is_said(place):
    assert replace(Owner.of_this_process(), **place).alive() is None
    assert Owner.unknown().alive() is None


# What an earlier bench wrote of a machine, and what this one has: an id, and a network card's address.
MANUFACTURERS, MADE_UP, FROM_OTHER = 0x001B21AABBCC, 0x0242AC110002, 0x001B21AABBCD


@pytest.mark.parametrize(
    ("machine_id", "then", "now", "alive"),
    [
        ("a" * 32, MANUFACTURERS, MANUFACTURERS, False),
        ("a" * 32, MADE_UP, MADE_UP, None),
        ("a" * 32, MANUFACTURERS, FROM_OTHER, None),
        ("", MANUFACTURERS, MANUFACTURERS, None),
    ],
    ids=["restarted", "containers of one image", "copies of one disk", "without an id"],
)
def test_an_earlier_bench_s_process_is_dead_where_its_own_machine_was_restarted(
    monkeypatch, machine_id, then, now, alive
):
    from bench.store import owner

    monkeypatch.setattr(owner.uuid, "getnode", lambda: now)
    monkeypatch.setattr(owner, "_machine_id", lambda: machine_id)
    owner._machine.cache_clear()
    token = "f" * 32
    of_then = {"token": token, "boot": "another", "host": owner._keyed(token, f"{machine_id} {then:x}")}
    assert replace(Owner.of_this_process(), **of_then).alive() is alive
    owner._machine.cache_clear()


def test_what_is_written_names_no_machine(store, a_study):
    attempt = begin(store, a_study[0].study_id, a_study[1][0].launch_id)
    file = store.path / "studies" / attempt.study_id / "attempts" / f"{attempt.launch_id}.a0.json"
    document = json.loads(file.read_bytes())
    assert document["owner"]["pid"] == os.getpid()
    from bench.store import owner

    secrets = [platform.node(), owner._boot()]
    assert not [each for each in secrets if each and each in file.read_text()]


def test_the_attempt_is_on_disk_before_anything_starts_and_open_until_it_has_a_marker(store, a_study, a_launch, a_dna):
    plan, (launch, _), dna = a_study
    attempt = begin(store, plan.study_id, launch.launch_id)
    assert (attempt.attempt, attempt.owner) == (0, Owner.of_this_process())
    assert attempts.open_attempts(store.path, plan.study_id) == [attempt]
    store.commit(LaunchRows(launch=launch, dna=dna[launch.launch_id]))
    assert attempts.open_attempts(store.path, plan.study_id) == []
    assert attempts.attempts(store.path, plan.study_id) == [attempt]


def test_a_launch_that_a_living_process_runs_is_refused_and_the_process_named(begun_by, a_living_process, store):
    attempt = begun_by(owner_of(a_living_process))
    with pytest.raises(CannotError, match=f"run by process {a_living_process.pid} of this machine, since") as error:
        begin(store, attempt.study_id, attempt.launch_id)
    assert not isinstance(error.value, StaleAttemptError)


def test_a_launch_begun_on_another_machine_needs_somebody_who_knows(begun_by, store):
    attempt = begun_by(replace(Owner.of_this_process(), token="0" * 32, boot="another", host="another"))
    with pytest.raises(CannotError, match="another machine") as error:
        begin(store, attempt.study_id, attempt.launch_id)
    assert f"bench recover {attempt.study_id} listens for it" in error.value.hint
    with pytest.raises(StaleAttemptError):
        begin(store, attempt.study_id, attempt.launch_id, force=True)


def test_a_dead_owners_attempt_must_be_closed_first(begun_by, store, a_dead_owner):
    attempt = begun_by(a_dead_owner)
    with pytest.raises(StaleAttemptError, match=r"never ended") as error:
        begin(store, attempt.study_id, attempt.launch_id)
    assert "bench recover" in error.value.hint


@pytest.mark.parametrize(("status", "is_run_again"), [("lost", True), ("cancelled", True), ("crash", False)])
def test_only_what_is_lost_or_cancelled_is_begun_again(store, a_study, status, is_run_again):
    plan, (launch, other), dna = a_study
    begin(store, plan.study_id, launch.launch_id)
    store.commit(LaunchRows(launch=replace(launch, status=status)))
    todo = [each.launch_id for each in index.unsettled(store.path, plan)]
    assert (launch.launch_id in todo) == is_run_again
    assert other.launch_id in todo
    if is_run_again:
        again = begin(store, plan.study_id, launch.launch_id)
        assert again.attempt == 1
        store.commit(LaunchRows(launch=replace(launch, attempt=1), dna=dna[launch.launch_id]))
        assert index.settled(store.path, plan.study_id)[launch.launch_id].attempt == 1
        assert len(index.every_marker(store.path, plan.study_id)) == 2
    else:
        with pytest.raises(CannotError, match="has a result already"):
            begin(store, plan.study_id, launch.launch_id)


def test_a_marker_of_before_there_were_attempts_is_read_as_the_first():
    old = json.dumps(
        {"study_id": "s", "launch_id": "s.r00p00", "status": "ok", "files": [], "schema": "bench.marker/1"}
    )
    assert index.Marker.from_bytes(old.encode()).attempt == 0
