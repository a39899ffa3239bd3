"""What lies in a store: unreadable is not absent, and one odd name or folder costs nobody else anything."""

import errno
import json
import os
import shutil
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import bench
from bench import recovery, resuming, verifying
from bench.errors import CannotError, UsageError
from bench.store import attempts, index, layout
from bench.store.index import survey
from bench.store.layout import UnreadableError
from bench.store.place import Place
from bench.store.transfer import transfer
from bench.verbs import ls, show, verify

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"


@pytest.fixture
def cli(filled):
    """Run a verb on the store; a bug in it fails the test."""

    def run(command, *words):
        given = [*words, "--store", str(filled.path)]
        return CliRunner().invoke(command, given, catch_exceptions=False, standalone_mode=False)

    return run


@pytest.fixture
def unreadable(monkeypatch):
    """Have a folder of another user's: tests may run as root, who may read everything."""
    closed: list[Path] = []
    scandir = os.scandir

    def refuse(folder):
        if Path(folder) in closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(layout.os, "scandir", refuse)
    return closed.append


def copied(name):
    return lambda store: shutil.copytree(store / "studies" / NEW, store / "studies" / name)


ODD = {
    "a copy by a file manager": copied(f"{NEW} (copy)"),
    "a numbered copy": copied(f"{NEW} (1)"),
    "a copy with the word first": copied(f"Copy of {NEW}"),
    "a backup": copied(f"{NEW}.bak"),
    "a copy under a name like a study's": copied(f"{NEW}-copy"),
    "an editor's backup": copied(f"~{NEW}"),
    "a conflict of a synchroniser": copied(f"{NEW}.sync-conflict-20261128-101010-ABCDEFG"),
    "a name of two lines": copied(f"{NEW}\nx"),
    "bytes that are no text": lambda store: os.mkdir(os.fsencode(store / "studies") + b"/\xff\xfe"),  # noqa: PTH102
    "a file": lambda store: (store / "studies" / "notes.txt").write_text("hello"),
    "a file named like a study": lambda store: (store / "studies" / "2611240000-lenet-0000").write_text("hello"),
    "a torn copy": lambda store: (copied(f"{NEW}.old")(store) / "study.json").write_text("{"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_study_is_named_and_counts_for_nothing(filled, cli, name):
    ODD[name](filled.path)
    assert index.studies(filled.path) == [NEW, OLD]
    assert index.resolve(filled.path, "@last") == NEW
    assert len(survey(filled.path).odd) == 1
    listed = cli(ls.command)
    assert (listed.exit_code, listed.stderr.count("warning: studies/")) == (0, 1)
    checked = cli(verify.command, "--json")
    assert checked.return_value == 4, "the round that is not complete, as before"
    assert len(json.loads(checked.stdout)["odd"]) == 1
    assert cli(show.command).stdout.splitlines()[0].split() == ["study", NEW]
    assert recovery.recover(filled.path).unclosed == []
    assert len(bench.load(filled.path, "launches")) == 7
    copied = transfer(Place.at(str(filled.path)), Place.at(f"{filled.path}.copy"))
    assert (copied.launches, copied.refused, len(copied.notes)) == (7, (), 1)


@pytest.mark.parametrize("name", [".syncthing.tmp", ".DS_Store", "empty"])
def test_what_is_hidden_or_empty_is_nothing(filled, name):
    (filled.path / "studies" / name).mkdir()
    assert survey(filled.path).odd == ()
    assert index.studies(filled.path) == [NEW, OLD]


PLANS = {
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "torn": lambda file: file.write_bytes(file.read_bytes()[:50]),
    "not json": lambda file: file.write_bytes(b"\x00\xff"),
    "a list": lambda file: file.write_text("[]"),
    "null": lambda file: file.write_text("null"),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a link that leads nowhere": lambda file: (file.unlink(), file.symlink_to("/nowhere/at/all")),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
    "of a newer version": lambda file: file.write_text(json.dumps({**json.loads(file.read_bytes()), "hue": 1})),
    "with parts that are none": lambda file: file.write_text(
        json.dumps({**json.loads(file.read_bytes()), "workload": None, "created_at": 7})
    ),
}


@pytest.mark.parametrize("how", PLANS)
def test_a_study_whose_plan_cannot_be_read_is_there_and_hides_no_other(filled, cli, how):
    PLANS[how](filled.path / "studies" / NEW / "study.json")
    assert index.studies(filled.path) == [NEW, OLD]
    listed = json.loads(cli(ls.command, "--json").stdout)["studies"]
    assert [(line["study"], line["launches_done"]) for line in listed] == [(NEW, 3), (OLD, 4)]
    checked = cli(verify.command)
    assert checked.return_value == 4
    assert NEW in checked.stdout
    assert verifying.check(filled.path, OLD).is_right
    with pytest.raises(CannotError, match=NEW):
        show_last(filled.path)
    assert recovery.recover(filled.path).lost == []
    assert len(bench.load(filled.path, "launches")) == 7
    transferred = transfer(Place.at(str(filled.path)), Place.at(f"{filled.path}.copy"))
    assert transferred.launches + len(transferred.refused) >= 5


def show_last(store):
    return index.plan(store, index.resolve(store, "@last"))


def test_the_newest_that_cannot_be_read_is_not_replaced_by_an_older_in_silence(filled):
    (filled.path / "studies" / NEW / "study.json").unlink()
    with pytest.raises(UnreadableError, match=f"@last is study {NEW}: its plan is missing") as found:
        index.resolve(filled.path, "@last")
    assert OLD in found.value.hint
    assert index.resolve(filled.path, "@-2") == OLD


FOLDERS = ("commits/{}", "studies/{}", "studies/{}/attempts")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_study_of_somebody_elses_that_may_not_be_read_is_named_and_hides_no_other(filled, cli, unreadable, folder):
    attempts.begin(filled, NEW, f"{NEW}.r01p01")
    unreadable(filled.path / folder.format(NEW))
    if folder == "studies/{}":  # as the permission of the folder takes that of all within
        (filled.path / "studies" / NEW / "study.json").unlink()
        unreadable(filled.path / "studies" / NEW / "attempts")
    listed = cli(ls.command)
    assert "unreadable" in next(line for line in listed.stdout.splitlines() if NEW in line)
    assert "4/4       done, 1 crash" in next(line for line in listed.stdout.splitlines() if OLD in line)
    assert "warning:" in listed.stderr
    assert cli(verify.command, OLD).return_value == 0
    assert cli(verify.command, NEW).return_value in {4, 5}
    found = recovery.recover(filled.path)
    assert (found.lost, len(found.unclosed)) == ([], 1)
    assert NEW in found.unclosed[0]


def test_verify_has_an_ending_of_its_own_for_what_it_could_not_read(filled, cli, unreadable):
    unreadable(filled.path / "commits" / OLD)
    checked = cli(verify.command, OLD)
    assert checked.return_value == 5
    assert f"commits/{OLD} cannot be read: Permission denied" in checked.stdout


def test_a_link_that_leads_nowhere_may_be_a_study(filled, cli):
    shutil.rmtree(filled.path / "studies" / NEW)
    shutil.rmtree(filled.path / "commits" / NEW)
    shutil.rmtree(filled.path / "launches" / NEW)
    (filled.path / "studies" / NEW).symlink_to("/mnt/gone")
    checked = cli(verify.command)
    assert checked.return_value == 5
    assert f"studies/{NEW} is a link that leads nowhere" in checked.stdout


def test_what_may_not_be_read_is_never_run_again_and_never_begun(filled, unreadable, a_plan):
    unreadable(filled.path / "commits" / NEW)
    with pytest.raises(UnreadableError):
        index.unsettled(filled.path, index.plan(filled.path, NEW), [])
    with pytest.raises(UnreadableError):
        attempts.begin(filled, NEW, f"{NEW}.r01p01")
    with pytest.raises(UsageError, match="no unfinished study to resume; study"):
        resuming.unfinished(filled, a_plan(NEW))


def test_a_study_that_may_not_be_read_is_not_pushed_as_an_empty_one(filled, monkeypatch):
    scandir = os.scandir

    def refuse(folder):
        if Path(folder) == filled.path / "commits" / NEW:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    transferred = transfer(Place.at(str(filled.path)), Place.at(f"{filled.path}.copy"))
    assert transferred.refused == (f"study {NEW} was left out: commits/{NEW} cannot be read: Permission denied",)
    assert index.studies(f"{filled.path}.copy") == [OLD]


@pytest.mark.parametrize("name", [f"{NEW}.r00p00 (copy).json", f"{NEW}.r00p00.sync-conflict-2026.json", "~x.json"])
def test_a_copy_of_a_marker_or_an_attempt_is_named_and_stands_for_nothing(filled, name):
    attempts.begin(filled, NEW, f"{NEW}.r01p01")
    whole = filled.path / "commits" / NEW / f"{NEW}.r00p00.json"
    shutil.copy(whole, whole.with_name(name))
    note = filled.path / "studies" / NEW / "attempts" / f"{NEW}.r01p01.a0.json"
    shutil.copy(note, note.with_name(name))
    shutil.copy(note, note.with_name(f"{NEW}.r01p01.a0 (1).json"))
    assert len(index.markers(filled.path, NEW, damaged := [])) == 3
    assert len(damaged) == 1
    assert [each.launch_id for each in attempts.open_attempts(filled.path, NEW)] == [f"{NEW}.r01p01"]
    checked = verifying.check(filled.path, NEW)
    assert any("copy of" in note for note in checked.notes)
    assert not any("copy" in text for text in checked.wrong)


def dated(store, study_id, created_at):
    file = store.path / "studies" / study_id / "study.json"
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "created_at": created_at}))


@pytest.mark.parametrize("far", ["2099-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "2099-01-01T00:00:00"])
def test_a_study_dated_in_the_future_is_not_the_last_for_ever_and_that_is_said(filled, far):
    dated(filled, OLD, far)
    with pytest.warns(index.StoreWarning, match=f"{OLD} is dated .* after this machine's clock"):
        assert index.resolve(filled.path, "@last") == NEW
    assert index.studies(filled.path) == [NEW, OLD]


def test_where_every_study_is_dated_ahead_it_is_this_clock_that_is_wrong(filled):
    dated(filled, OLD, "2098-01-01T00:00:00+00:00")
    dated(filled, NEW, "2099-01-01T00:00:00+00:00")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert index.resolve(filled.path, "@last") == NEW
    assert index.studies(filled.path) == [NEW, OLD]


@pytest.mark.parametrize("odd", ["", "yesterday", None, 7, "2026-11-22T09:24:00+01:00"])
def test_a_date_that_cannot_be_read_leaves_what_the_id_says(filled, odd):
    dated(filled, OLD, odd)
    assert index.studies(filled.path) == [NEW, OLD]
