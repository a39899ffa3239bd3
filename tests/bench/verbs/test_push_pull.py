"""`bench push` and `bench pull`: a store to another folder or URL, and back."""

import io
import json
import shutil

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from bench import cli
from bench.store import fsops, packing, packs
from bench.verbs.copying import _Progress

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"


@pytest.fixture
def bench(capsys, monkeypatch, tmp_path, filled):
    """Run a verb in this process beside the filled store `results`: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_STORE", "results")
    monkeypatch.setattr(fsops, "_sync", lambda _: None)
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


def test_a_pushed_store_lists_shows_and_reports_as_the_original_does(bench, tmp_path):
    assert bench("push", "copy")[0] == 0
    for verb in (["ls"], ["show", OLD]):
        here, there = bench(*verb, "--store", "results"), bench(*verb, "--store", "copy")
        assert there[0] == 0
        assert there[1].replace("copy", "results") == here[1]
    for store in ("results", "copy"):
        assert bench("report", OLD, "--store", store, "--format", "md,tex,csv", "-o", f"report-{store}")[0] == 0
    reports = {
        store: {file.name: file.read_bytes() for file in (tmp_path / f"report-{store}").iterdir()}
        for store in ("results", "copy")
    }
    assert reports["copy"] == reports["results"]
    assert len(reports["results"]) >= 3


def test_what_was_pushed_elsewhere_is_pulled_by_somebody_else(bench):
    assert bench("push", "memory://lab/results", "@last")[0] == 0
    code, out, err = bench("pull", "memory://lab/results", "--store", "theirs")
    assert (code, err) == (0, "")
    assert out.startswith("Copied 13 files (")
    assert out.endswith(" of 1 study to theirs: 3 launches new there.\n")
    assert bench("ls", "-q", "--store", "theirs")[1] == f"{NEW}\n"


def test_packs_are_not_carried_and_a_folder_makes_its_own_of_what_arrived(bench, filled, tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "FEWEST_LAUNCHES", 4)
    assert packing.pack(filled, OLD)
    assert bench("push", "memory://lab/results")[0] == 0
    assert not [name for name in MemoryFileSystem.store if "packs" in name]
    assert bench("pull", "memory://lab/results", "--store", "theirs")[0] == 0
    assert [file.parent.name for file in tmp_path.glob("theirs/packs/*/*.json")] == [OLD]
    assert bench("pull", "memory://lab/results", "--store", "theirs")[1].startswith("Nothing to copy")
    assert bench("verify", OLD, "--store", "theirs")[0] == 0


def test_a_second_push_says_that_there_is_nothing_to_copy(bench):
    bench("push", "copy")
    code, out, _ = bench("push", "copy")
    assert (code, out) == (0, "Nothing to copy: 2 studies looked at, 29 files there already.\n")


def test_json_is_one_document(bench):
    bench("push", "copy", OLD)
    document = json.loads(bench("push", "copy", "--json")[1])
    size = document.pop("bytes")
    assert size > 1000
    assert document == {
        "schema": "bench.push/1",
        "source": "results",
        "destination": "copy",
        "studies": [OLD, NEW],
        "launches": 3,
        "files": 13,
        "present": 16,
        "refused": [],
        "notes": [],
        "exit": 0,
    }
    assert json.loads(bench("pull", "copy", "--json")[1])["schema"] == "bench.pull/1"


def test_a_launch_with_another_result_there_is_named_and_the_exit_code_says_partial(bench, tmp_path):
    bench("push", "copy")
    marker = tmp_path / "copy" / "commits" / OLD / f"{OLD}.r00p00.json"
    marker.write_text(marker.read_text().replace('"ok"', '"suspect"'))
    code, out, err = bench("push", "copy")
    assert code == 5
    assert out.startswith("Nothing to copy")
    assert err.startswith(f"warning: launch {OLD}.r00p00 was left out")
    code, out, _ = bench("push", "copy", "--json")
    assert code == json.loads(out)["exit"] == 5
    assert len(json.loads(out)["refused"]) == 1


def test_logs_go_along_when_they_are_asked_for(bench, tmp_path):
    folder = tmp_path / "results" / "studies" / OLD / "logs" / f"{OLD}.r00p00"
    folder.mkdir(parents=True)
    (folder / "rank0.log").write_text("hello")
    bench("push", "copy")
    assert not (tmp_path / "copy" / "studies" / OLD / "logs").exists()
    bench("push", "copy", "--logs")
    assert (tmp_path / "copy" / "studies" / OLD / "logs" / f"{OLD}.r00p00" / "rank0.log").read_text() == "hello"


@pytest.mark.parametrize(
    ("words", "code", "found"),
    [
        (["push", "foo://x/y"], 2, "Protocol not known: foo"),
        (["push", "copy", "vgg"], 2, "no study 'vgg'"),
        (["push", "copy", "--store", "nowhere"], 2, "there is no store at"),
        (["push", "results"], 2, "results is the store itself"),
        (["pull", "memory://nowhere"], 2, "there is no store at memory://nowhere"),
        (["pull", "nowhere"], 2, "there is no store at"),
        (["push", "a-file/results"], 3, "Not a directory"),
    ],
)
def test_mistakes_are_told_in_four_lines_at_most(bench, tmp_path, words, code, found):
    (tmp_path / "a-file").touch()
    ended, out, err = bench(*words)
    assert (ended, out) == (code, "")
    assert found in err
    assert len(err.splitlines()) <= 4
    shutil.rmtree(tmp_path / "results")  # nothing else was made
    assert {each.name for each in tmp_path.iterdir()} <= {"a-file"}


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def progress(stream):
    now = [0.0]
    found = _Progress(stream, clock=lambda: now[0])

    def at(seconds, done):
        now[0] = seconds
        found.tell(done, 100)

    return found, at


def test_a_short_copy_is_silent():
    stream = Terminal()
    found, at = progress(stream)
    at(0.5, 10)
    at(1.9, 99)
    found.end()
    assert stream.getvalue() == ""


def test_a_long_copy_redraws_one_line_and_takes_it_away(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    found, at = progress(stream)
    for second, done in ((2.0, 10), (2.2, 11), (2.6, 20)):
        at(second, done)
    found.end()
    text = stream.getvalue()
    assert "10 of 100 files" in text
    assert "11 of 100" not in text
    assert "20 of 100 files" in text
    assert "\n" not in text
    assert text.endswith("\r\x1b[2K")


def test_a_long_copy_into_a_log_writes_a_line_a_minute():
    stream = io.StringIO()
    found, at = progress(stream)
    for second in range(0, 130, 10):
        at(float(second), second)
    found.end()
    assert stream.getvalue() == "10 of 100 files\n70 of 100 files\n"
