"""P2: a launch that was not acknowledged is absent or whole, never half-read; wherever its writer died."""

import errno
import itertools
import os
import signal
import warnings

import pytest

from bench import recovery, verifying
from bench.plan import to_json
from bench.store import attempts, fsops, index, read
from bench.store.commit import Store
from bench.store.layout import Layout
from tests.bench.store import dying_writers


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
        steps = dict(read.committed(root, plan.study_id).steps())
        frame = read.load(root, "launches")
        assert len(read.committed(root, plan.study_id).dna()) == sum(launch.status == "ok" for launch in found.values())
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
    assert verifying.check(root, plan.study_id).wrong == []
    return recovered


SOME_CALLS = pytest.param(4, id="every fourth call", marks=pytest.mark.faults)
EVERY_CALL = pytest.param(1, id="every call", marks=[pytest.mark.faults, pytest.mark.slow])


@pytest.mark.parametrize("stride", [pytest.param(17, id="some calls"), SOME_CALLS, EVERY_CALL])
@pytest.mark.usefixtures("no_waiting_for_the_disk")
def test_a_writer_killed_at_any_call_leaves_launches_that_are_absent_or_whole(
    tmp_path, a_study, die_everywhere, stride
):
    answers = die_everywhere("write", "BENCH_CRASH_AT", stride)
    assert {answer["code"] for answer in answers[:-1]} == {-signal.SIGKILL}
    assert answers[-1]["number"] > 100, "every call of a store, a study, two attempts and two commits is numbered"
    finished = 0
    for answer in answers:
        root = tmp_path / str(answer["number"])
        if (root / "FORMAT").exists():
            found = rows_as_written(root, a_study)
            assert set(answer["told"]) <= set(found), answer
        finished += len(finish(root, a_study).finished)
    if stride <= 4:  # a coarser one may step over the calls between a launch's end and its commit
        assert finished * stride > 30, "a launch that had ended when its writer was killed is not run again"


@pytest.mark.parametrize("stride", [SOME_CALLS, EVERY_CALL])
@pytest.mark.usefixtures("no_waiting_for_the_disk", "half_done")
def test_a_recovery_killed_at_any_call_is_made_whole_by_the_next(tmp_path, a_study, die_everywhere, stride):
    ended, under_way = a_study[1]
    answers = die_everywhere("recover", "BENCH_CRASH_AT", stride)
    assert {answer["code"] for answer in answers[:-1]} == {-signal.SIGKILL}
    assert answers[-1]["number"] > 30
    assert answers[-1]["told"] == [ended.launch_id, under_way.launch_id]
    for answer in answers:
        root = tmp_path / str(answer["number"])
        assert set(answer["told"]) <= set(rows_as_written(root, a_study)), answer
        finish(root, a_study)
        assert index.settled(root, ended.study_id)[ended.launch_id].attempt == 0, "what had ended is not run again"
        assert index.settled(root, ended.study_id)[under_way.launch_id].attempt == 1


@pytest.mark.faults
@pytest.mark.usefixtures("no_waiting_for_the_disk")
@pytest.mark.slow
def test_a_writer_killed_where_there_are_no_hard_links_leaves_claims_that_recovery_removes(
    tmp_path, a_study, die_everywhere
):
    plan = a_study[0]
    answers = die_everywhere("write without links", "BENCH_CRASH_AT", 1)
    assert {answer["code"] for answer in answers[:-1]} == {-signal.SIGKILL}
    claimed = set()
    for answer in answers:
        root = tmp_path / str(answer["number"])
        claims = [file for file in root.rglob("*.json") if not file.stat().st_size]
        for file in claims:  # a minute later
            os.utime(file, (0, 0))
        claimed |= {file.relative_to(root).parts[0] for file in claims}
        if claims and claims[0].name == "study.json":
            continue  # a study that never began: its id is not used again
        if (root / "FORMAT").exists() and (root / "FORMAT").stat().st_size:
            damaged = []
            found = {launch.launch_id for launch in read.launches(root, plan.study_id, damaged)}
            assert set(answer["told"]) <= found
            assert {each.path for each in damaged} <= {file.relative_to(root).as_posix() for file in claims}
        finish(root, a_study)
    assert claimed == {"studies", "commits"}


@pytest.mark.faults
@pytest.mark.usefixtures("no_waiting_for_the_disk")
@pytest.mark.slow
def test_a_disk_that_is_full_from_any_call_on_is_told_and_costs_no_launch_that_had_ended(
    tmp_path, a_study, die_everywhere
):
    answers = die_everywhere("write", "BENCH_DISK_FULL_AT", 1)
    assert {answer["code"] for answer in answers[:-1]} == {dying_writers.SAID}
    finished = 0
    for answer in answers:
        root = tmp_path / str(answer["number"])
        if (root / "FORMAT").exists():
            acknowledged = {line for line in answer["told"] if not line.startswith("!")}
            assert acknowledged <= set(rows_as_written(root, a_study)), answer
        if answer["code"]:
            assert "No space left on device" in answer["told"][-1]
        recovered = finish(root, a_study)
        finished += len(recovered.finished)
        for launch in recovered.lost:  # it never began: what its room is taken for ends with a row, disk full or not
            folder = Layout(root).folder(launch.study_id, launch.launch_id)
            outcome = folder / recovery.OUTCOME
            assert not outcome.exists() or not outcome.read_bytes().strip(b"\0"), answer
    assert finished > 30


@pytest.mark.parametrize("stride", [SOME_CALLS, EVERY_CALL])
@pytest.mark.usefixtures("no_waiting_for_the_disk", "half_done")
def test_a_recovery_without_room_is_told_and_loses_nothing(tmp_path, a_study, die_everywhere, stride):
    answers = die_everywhere("recover", "BENCH_DISK_FULL_AT", stride)
    assert {answer["code"] for answer in answers[:-1]} == {dying_writers.SAID}
    for answer in answers:
        root = tmp_path / str(answer["number"])
        finish(root, a_study)
        assert index.settled(root, a_study[0].study_id)[a_study[1][0].launch_id].attempt == 0


def test_the_number_says_at_which_call_and_only_where_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(fsops, "_numbers", itertools.count(1))
    fsops.write_new(tmp_path / "before", b"not counted")
    monkeypatch.setenv("BENCH_DISK_FULL_AT", "4")
    fsops.write_new(tmp_path / "three calls", b"open, write, sync")
    with pytest.raises(OSError, match="No space left") as error:
        fsops.write_new(tmp_path / "the fourth", b"")
    assert error.value.errno == errno.ENOSPC
    fsops.remove(tmp_path / "before")  # gives room and takes none
    assert [file.name for file in tmp_path.iterdir()] == ["three calls"]
