"""Bench from Python: the command's own programs, called with values; their findings show themselves."""

import contextlib
import io
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
from dataclasses import fields
from pathlib import Path

import pytest

import bench
from bench import study
from bench.errors import DONE, INTERRUPTED, TERMINATED, CannotError, UsageError
from bench.store.layout import Layout
from bench.verbs import leading, study_request
from bench.verbs.interruptions import listened_for
from bench.verbs.keywords import options_of
from bench.verbs.leading import Led
from reports.scaling import table
from tests.bench.verbs.measured_stores import measured


def asked(**keywords):
    return options_of(keywords, verb="scale", progress=True)


@pytest.fixture
def store(tmp_path):
    """A store with two studies of one row, the second 10 % faster."""
    made = study.Store.open(tmp_path / "results")
    measured(made, "2611220800-lenet-0001", (100.0, 101.0, 99.0, 100.0, 100.5, 99.5))
    measured(made, "2611220801-lenet-0002", (110.0, 111.0, 109.0, 110.0, 110.5, 109.5))
    return made.path


@pytest.fixture
def led(monkeypatch, store):
    """In place of a study that is run: how it ends; the requests are kept."""
    requests = []

    def end(code):
        def lead(request):
            requests.append((request, os.environ.get("ASKED_FOR")))
            return Led(study=study.analyse(store, "2611220800-lenet-0001"), code=code)

        monkeypatch.setattr(leading, "lead", lead)
        return requests

    return end


# Light until it is used


def test_importing_bench_brings_nothing_and_offers_everything():
    script = (
        "import sys, bench; print(*sorted(set(sys.modules) & {'click', 'rich', 'pathlib', 'bench.api', 'numpy'})); "
    )
    lines = subprocess.run(
        [sys.executable, "-P", "-c", script + "print(*dir(bench))"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines[0] == ""
    assert {"scale", "run", "load", "compare", "Study", "Row", "Estimate", "Verdict", "Comparison"} <= {
        *lines[1].split()
    }


def test_all_that_bench_offers_is_there_and_nothing_else():
    assert all(getattr(bench, name) for name in bench.__all__)
    with pytest.raises(AttributeError, match="module 'bench' has no attribute 'scales'"):
        bench.scales  # noqa: B018


# Keywords are flags


def test_the_keywords_that_editors_complete_are_the_flags_of_today():
    docs = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "keywords.py"))
    assert docs["FILE"].read_text() == docs["stub"](), "run: make docs"
    for keyword in ("model", "cores_per_rank", "when_busy", "from_"):
        assert f"\n    {keyword}: " in docs["stub"]()


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"ranks": [1, 2], "cores_per_rank": 2}, ("--ranks", "1,2", "--cores-per-rank", "2")),
        ({"ranks": 2, "quick": True, "model": None}, ("--ranks", "2", "--quick")),
        ({"input_shape": (3, 32, 32), "seconds": 1.5}, ("--input-shape", "3,32,32", "--seconds", "1.5")),
        ({"augment": (), "store": Path("some") / "where"}, ("--augment", "none", "--store", "some/where")),
        ({"env": {"A": "1", "B": "x,y"}}, ("--env", "A=1", "--env", "B=x,y")),
        ({"env": "HOME", "from_": "last.pt"}, ("--env", "HOME", "--from", "last.pt")),
        ({"ddp": {"find_unused_parameters": True}}, ("--ddp", "find_unused_parameters=true")),
        ({"anatomy": True}, ("--anatomy",)),
        ({"quick": False, "anatomy": False}, ()),
    ],
)
def test_values_become_the_words_of_the_command_that_asks_for_the_same(keywords, words):
    assert asked(**keywords).words == ("scale", *words)


def test_the_words_are_read_as_the_command_reads_them():
    keywords = {"profile": "demo", "resume": True, "ranks": [1, 2], "anatomy": True}
    options = options_of(keywords, verb="run", progress=False)
    assert options.flags == {"ranks": "1,2", "anatomy": "100"}
    assert (options.profile, options.resume, options.output.as_json) == ("demo", True, True)


def test_an_unknown_keyword_is_an_error_with_what_was_meant():
    with pytest.raises(UsageError, match=r"there is no setting 'modle'\. Did you mean model\?"):
        bench.scale(modle="lenet")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match=r"Did you mean cores_per_rank\?"):
        bench.run(cores_per_ranks=2)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"model": "lenet-smal"}, "There is no model 'lenet-smal'."),
        (
            {"model": "lenet-small", "ranks": [1, 0]},
            "--ranks: '1,0' should be whole numbers from 1, as in 1,2,4, or auto",
        ),
        ({"model": "lenet-small", "rounds": True}, "Option '--rounds' requires an argument."),
        ({"profile": "demoo"}, "no profile 'demoo'. Did you mean demo?"),
    ],
)
def test_a_wrong_value_is_told_in_the_words_of_the_command(keywords, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(bench.BenchError) as refused:
        bench.scale(**keywords)
    assert refused.value.message == message
    assert capsys.readouterr().out == ""


def test_a_function_of_a_file_is_named_by_it_and_any_other_is_refused_with_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "a_model_file.py").write_text("def build(): ...\nmade = lambda: None\n")
    monkeypatch.syspath_prepend(tmp_path)
    import a_model_file  # type: ignore[import-not-found]

    assert asked(model=a_model_file.build).words[1:] == ("--model", f"{tmp_path}/a_model_file.py:build")
    assert asked(model=asked).words[1:] == ("--model", f"{asked.__module__}:asked")
    for nowhere in (a_model_file.made, lambda: None, type("Net", (), {"__module__": "__main__"})):
        with pytest.raises(UsageError, match="is only in this process") as refused:
            asked(model=nowhere)
        assert "my_model.py:" in refused.value.hint
    del sys.modules["a_model_file"]


# A study that is run


def test_a_study_is_asked_for_returned_and_nothing_is_printed(led, store, capsys):
    requests = led(DONE)
    found = bench.run(model="lenet-small", ranks=1, env={"ASKED_FOR": "yes"}, store=store)
    assert isinstance(found, bench.Study)
    assert found.study_id == "2611220800-lenet-0001"
    assert found.store == store
    request, passed = requests[0]
    assert request.one_row
    assert passed == "yes"
    assert "ASKED_FOR" not in os.environ
    assert capsys.readouterr().out == ""


def test_an_interrupted_study_is_raised_with_what_finished(led, store):
    led(INTERRUPTED)
    with pytest.raises(KeyboardInterrupt) as stopped:
        bench.scale(model="lenet-small", store=store)
    assert isinstance(stopped.value, bench.Interrupted)
    assert stopped.value.study.rows[0].launches == 6
    assert f"6 launches of 2611220800-lenet-0001 are kept, in {store}" in str(stopped.value)
    assert "resume=True" in str(stopped.value)


def test_a_termination_goes_on_to_whom_it_was_meant_for(led, store):
    led(TERMINATED)
    got = []
    before = signal.signal(signal.SIGTERM, lambda *_: got.append("SIGTERM"))
    try:
        with pytest.raises(bench.Interrupted):
            bench.scale(model="lenet-small", store=store)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == ["SIGTERM"]


def test_who_follows_a_leader_is_told_that_it_has_no_study(monkeypatch, store):
    monkeypatch.setattr(study_request.StudyRequest, "launcher", type("Follows", (), {"role": lambda _: "follow"}))
    with pytest.raises(CannotError, match="follows the leader"):
        bench.scale(model="lenet-small", store=store)


def test_a_thread_that_is_not_the_main_one_leaves_signals_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def listen():
        with listened_for(lambda: None) as heard:
            seen.append((signal.getsignal(signal.SIGINT), heard.is_set()))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [(before, False)]


# What is in a store


def test_a_study_of_a_store_is_the_one_that_the_command_shows(store, monkeypatch):
    newest = bench.load(store)
    plain = study.analyse(store, "2611220801-lenet-0002")
    assert [getattr(newest, each.name) for each in fields(plain)] == [
        getattr(plain, each.name) for each in fields(plain)
    ]
    assert bench.load(store, study="@-2").study_id == "2611220800-lenet-0001"
    monkeypatch.setenv("BENCH_STORE", str(store))
    assert bench.load().store == store
    with pytest.raises(UsageError, match="no study"):
        bench.load(store, study="nothing")


def test_a_table_is_of_the_whole_store_or_of_one_study(store):
    assert len(bench.load(store, "launches")) == 12
    assert {*bench.load(store, "launches", study="@last").study_id} == {"2611220801-lenet-0002"}
    assert len(bench.load(store).load("launches")) == 6


def test_two_studies_are_compared_as_the_command_compares_them(store):
    a, b = bench.load(store, study="@-2"), bench.load(store)
    found = bench.compare(a, b)
    assert isinstance(found, bench.Comparison)
    assert found.rows[0].verdict.word == "FASTER"
    assert found.rows == bench.compare("@-2", "@last", store=store).rows
    assert bench.compare(a, b, threshold=0.5).rows[0].verdict.word == "EQUIVALENT"
    with pytest.raises(UsageError, match="are one study"):
        bench.compare(a, a)
    with pytest.raises(UsageError, match=r"--threshold '5' is not a share"):
        bench.compare(a, b, threshold=5)


# How findings show themselves


def test_print_gives_the_table_of_the_terminal_and_repr_one_line(store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    found = bench.load(store)
    assert repr(found) == "<Study 2611220801-lenet-0002: 1 rows, 6 launches>"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        print(found)
    for word in ("samples/s", "Verdict", "Saved", f"study {found.study_id}"):
        assert word in printed.getvalue()
    assert str(bench.compare("@-2", "@last", store=store)).startswith("A  ")


def text_of(cell: str) -> str:
    return re.sub(r"<[^>]+>", " ", cell)


def test_a_notebook_shows_the_cells_of_the_table_and_reaches_out_of_its_own_for_nothing(store):
    found = bench.load(store)
    shown = found._repr_html_()
    for column in table.build(found).columns:
        for text in (column.header, *column.cells):
            assert f">{text}</t" in shown
    for each in (shown, bench.compare("@-2", "@last", store=store)._repr_html_()):
        assert each.startswith('<div class="bench">')
        assert "@scope (.bench)" in each
        assert not re.search(r":root|<script|https?:|<link", each)
    assert "FASTER" in text_of(bench.compare("@-2", "@last", store=store)._repr_html_())


def test_a_study_of_which_nothing_finished_can_be_shown(store):
    for marker in Layout(store).markers("2611220801-lenet-0002").glob("*.json"):
        marker.unlink()
    found = bench.load(store)
    assert "0 launches" in repr(found)
    assert "<table" in found._repr_html_()


# The real thing


@pytest.mark.slow  # trains, four launches
def test_an_interrupt_in_a_script_keeps_what_finished_and_a_resumed_study_measures_the_rest(tmp_path, environment):
    script = """
import os, signal, sys, bench


asked = dict(model="lenet-small", data="digits", device="cpu", rounds=3, steps=20, cores_per_rank=1, order_seed=1)
real, sys.stderr = sys.stderr, type("Told", (), {
    "write": lambda self, text: ("[1/3]" in text and os.kill(os.getpid(), signal.SIGINT), real.write(text))[1],
    "flush": lambda self: real.flush(), "isatty": lambda self: False, "encoding": "utf-8"})()
try:
    bench.run(**asked)
except bench.Interrupted as stopped:
    kept = stopped.study.rows[0].launches
study = bench.run(**asked, resume=True)
assert 1 <= kept < 3, kept
assert study.rows[0].launches == 3, study
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert "Ending after this launch" in ran.stderr
