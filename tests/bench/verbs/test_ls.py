"""`bench ls`: one line a study, newest first, whatever state a study is in."""

import json

import pytest
from click.testing import CliRunner

from bench.store import attempts
from bench.store.commit import Store
from bench.store.layout import NoStoreError
from bench.verbs.ls import command

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"


@pytest.fixture
def ls(filled):
    def run(*arguments, store=filled.path):
        return CliRunner().invoke(command, ["--store", str(store), *arguments], catch_exceptions=False)

    return run


def test_it_lists_each_study_on_one_line_with_the_newest_first(ls):
    assert ls().stdout.splitlines() == [
        "study                  started (UTC)     model  data    rows  launches  status",
        f"{NEW}  2026-11-23 09:00  lenet  digits  3     3/4       unfinished",
        f"{OLD}  2026-11-22 08:24  lenet  digits  3     4/4       done, 1 crash",
    ]


def test_quiet_prints_ids_alone(ls):
    assert ls("-q").stdout.splitlines() == [NEW, OLD]


def test_json_is_one_document_with_what_the_lines_say(ls, filled):
    document = json.loads(ls("--json").stdout)
    assert {name: document[name] for name in ("schema", "store", "warnings", "exit")} == {
        "schema": "bench.ls/1",
        "store": str(filled.path),
        "warnings": [],
        "exit": 0,
    }
    assert document["studies"][1] == {
        "study": OLD,
        "created_at": "2026-11-22T08:24:00+00:00",
        "model": "lenet",
        "data": "digits",
        "rows": 3,
        "launches_planned": 4,
        "launches_done": 4,
        "statuses": {"crash": 1, "ok": 3},
        "open": 0,
        "elsewhere": 0,
        "status": "done",
    }


def test_a_study_that_cannot_be_read_hides_no_other(ls, filled):
    (filled.path / "studies" / NEW / "study.json").write_text('{"study_id": "26')
    (filled.path / "commits" / OLD / f"{OLD}.r00p00.json").write_text("")
    result = ls()
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == [NEW, OLD]
    assert "unreadable" in result.stdout.splitlines()[1]
    assert f"warning: launch {OLD}.r00p00" in result.stderr


def test_what_could_not_be_read_does_not_act_on_a_terminal(ls, filled):
    odd = filled.path / "studies" / NEW / "study.json"
    odd.write_text(
        json.dumps(json.loads(odd.read_text()) | {"workload": {"model": "\x1b[31mred\x07", "data": "digits"}})
    )
    (filled.path / "commits" / OLD / f"{OLD}.r00p00\x07.json").write_text("")
    result = ls()
    assert "red" in result.stdout
    assert "warning: " in result.stderr
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


def test_an_empty_store_says_how_to_begin_and_is_no_error(ls, tmp_path):
    Store.open(tmp_path / "empty")
    result = ls(store=tmp_path / "empty")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "bench scale" in result.stderr
    assert json.loads(ls("--json", store=tmp_path / "empty").stdout)["studies"] == []


def test_a_store_that_is_not_there_is_a_usage_error(ls, tmp_path):
    with pytest.raises(NoStoreError, match="no store"):
        ls(store=tmp_path / "nowhere")


def test_the_store_comes_from_the_environment(filled, monkeypatch):
    monkeypatch.setenv("BENCH_STORE", str(filled.path))
    assert CliRunner().invoke(command, ["-q"]).stdout.splitlines() == [NEW, OLD]


def test_what_another_host_has_begun_is_not_said_to_have_died(ls, filled, monkeypatch):
    monkeypatch.setattr("bench.store.owner.Owner.alive", lambda _: None)
    attempts.begin(filled, NEW, f"{NEW}.r01p01")
    assert ls().stdout.splitlines()[1].endswith("unfinished, 1 begun on another host or in another container")
