"""`bench recover`: says what had ended, what is lost and what it left alone."""

import json

import pytest
from click.testing import CliRunner

from bench.store.attempts import begin
from bench.store.schema import LaunchRows
from bench.verbs.ls import command as ls_command
from bench.verbs.recover import command
from bench.verbs.show import command as show_command

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"
LAUNCH = f"{NEW}.r01p01"


@pytest.fixture
def recover(filled):
    def run(*arguments, verb=command):
        return CliRunner().invoke(verb, ["--store", str(filled.path), *arguments], catch_exceptions=False)

    return run


def test_a_store_in_order_has_nothing_to_recover(recover):
    done = recover()
    assert (done.exit_code, done.stdout) == (0, "Nothing to recover: every launch that was begun has ended.\n")


def test_a_lost_launch_is_told_with_what_to_do_and_only_once(recover, filled):
    begin(filled, NEW, LAUNCH)
    lines = recover("@last").stdout.splitlines()
    assert lines[0].startswith(f"! launch {LAUNCH} is lost: started 20")
    assert "--resume" in lines[1]
    assert "Nothing to recover" in recover().stdout
    assert (
        f"{NEW}  2026-11-23 09:00  lenet  digits  3     4/4       unfinished, 1 lost" in recover(verb=ls_command).stdout
    )


def test_json_says_the_same(recover, filled):
    begin(filled, NEW, LAUNCH)
    document = json.loads(recover("--json").stdout)
    assert (document["schema"], document["exit"]) == ("bench.recover/1", 0)
    (lost,) = document["lost"]
    assert (lost["launch"], lost["attempt"], lost["status"]) == (LAUNCH, 0, "lost")
    assert document["finished"] == document["running"] == document["elsewhere"] == document["unclosed"] == []


def test_ls_and_show_tell_of_a_launch_that_runs_and_of_attempts_before(recover, filled, a_plan, a_launch, a_dna):
    begin(filled, NEW, LAUNCH)  # by this process, which lives
    assert "running" in recover(verb=ls_command).stdout
    assert json.loads(recover("--json", verb=ls_command).stdout)["studies"][0]["open"] == 1
    assert "3 of 4 in the store, 1 running" in recover(NEW, verb=show_command).stdout
    recover()
    begin(filled, NEW, LAUNCH)
    launch = a_launch(a_plan(NEW), 3, attempt=1)
    filled.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    card = recover(LAUNCH, verb=show_command).stdout
    assert f"  0  lost  {filled.path}/studies/{NEW}/logs/{LAUNCH}" in card
    assert f"  {filled.path}/studies/{NEW}/logs/{LAUNCH}.a1" in card
    assert json.loads(recover(LAUNCH, "--json", verb=show_command).stdout)["shown"][0]["earlier"] == [
        {"attempt": 0, "status": "lost"}
    ]
