"""`bench report`: from a store to files, with every mistake told before anything is written."""

import csv
import io
import json
import tarfile
import webbrowser
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.errors import CannotError, UsageError
from bench.store import index
from bench.store.commit import Store
from bench.verbs.report import command
from tests.bench.verbs.measured_stores import measured

PACKED = Path(__file__).parents[3] / "docs/gallery/store.tar.xz"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Three real studies: the newest trains one row, the two older ones scale over two ranks."""
    folder = tmp_path_factory.mktemp("colleague")
    with tarfile.open(PACKED) as packed:
        packed.extractall(folder, filter="data")
    return folder


@pytest.fixture
def invoke(store, tmp_path):
    def run(*arguments, into="out", where=None):
        lines = [*map(str, arguments), "--store", str(where or store), "-o", str(tmp_path / into)]
        return CliRunner().invoke(command, lines)

    return run


def written(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def test_it_prints_the_paths_it_wrote_and_nothing_else(invoke, store, tmp_path):
    ran = invoke("@last", "--format", "md,csv,json")
    assert ran.exit_code == 0, ran.exception
    newest = index.studies(store)[0]
    assert ran.stdout.splitlines() == [str(tmp_path / f"out/{newest}{suffix}") for suffix in (".md", ".csv", ".json")]
    assert written(tmp_path / "out") == sorted(Path(path).name for path in ran.stdout.splitlines())


def test_without_a_format_it_is_the_page(invoke, tmp_path):
    ran = invoke("@last", "--title", "Digits & <curves>")
    assert ran.exit_code == 0, ran.exception
    (page,) = written(tmp_path / "out")
    assert page.endswith(".html")
    assert "Digits &amp; &lt;curves&gt;" in (tmp_path / "out" / page).read_text(encoding="utf-8")


def test_several_studies_share_one_report_each_once(invoke, store, tmp_path):
    newest, older, _ = index.studies(store)
    ran = invoke("@-2", "@last", older, "--format", "csv,json")
    assert ran.exit_code == 0, ran.exception
    assert written(tmp_path / "out") == [f"{older}-and-1-more.csv", f"{older}-and-1-more.json"]
    document = json.loads((tmp_path / "out" / f"{older}-and-1-more.json").read_text(encoding="utf-8"))
    assert [each["study"] for each in document["studies"]] == [older, newest]


def test_json_is_one_document_with_the_paths(invoke, store):
    document = json.loads(invoke("@last", "--json", "--format", "md,csv").stdout)
    assert (document["schema"], document["exit"]) == ("bench.report/1", 0)
    assert document["studies"] == [index.studies(store)[0]]
    assert {Path(path).suffix for path in document["paths"]} == {".md", ".csv"}


def test_another_study_is_held_against_it(invoke, tmp_path):
    ran = invoke("@last", "--compare", "@-2", "--format", "json")
    assert ran.exit_code == 0, ran.exception
    (name,) = written(tmp_path / "out")
    found = json.loads((tmp_path / "out" / name).read_text(encoding="utf-8"))["comparison"]
    assert found["a"]["study_id"] != found["b"]["study_id"]
    assert any("epochs" in each for each in found["obstacles"])  # other lengths of training have no ratio


def test_an_anonymous_report_tells_nothing_of_this_host(invoke, tmp_path, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "lab-node-07.example.org")
    assert invoke("@last", "--anonymize", "--format", "json,html").exit_code == 0
    for name in written(tmp_path / "out"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "lab-node-07" not in text
        assert "Conditions when the first launch began" not in text


def test_the_page_is_opened_where_that_is_asked_for(invoke, monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert invoke("@last", "--open").exit_code == 0
    assert opened == [next((tmp_path / "out").iterdir()).as_uri()]
    refused = invoke("@last", "--open", "--format", "md").exception
    assert isinstance(refused, UsageError)
    assert "--format html" in refused.hint


@pytest.mark.parametrize("name", ["docx", "", "md,,csv"])
def test_a_format_there_is_not_is_a_usage_error_that_names_those_there_are(invoke, tmp_path, name):
    refused = invoke("@last", "--format", name).exception
    assert isinstance(refused, UsageError)
    assert all(each in refused.hint for each in ("csv", "html", "json", "md", "pdf", "tex"))
    assert not (tmp_path / "out").exists()


def test_an_unknown_study_writes_nothing_of_the_known_ones(invoke, tmp_path):
    assert isinstance(invoke("@last", "nonsense").exception, UsageError)
    assert not (tmp_path / "out").exists()


def test_no_study_is_a_usage_error(invoke):
    assert CliRunner().invoke(command, []).exit_code == 2


def test_an_empty_store_and_none_at_all_say_what_makes_one(invoke, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "FORMAT").write_text('{"layout": 1}')
    for where, text in ((empty, "@last"), (empty, "2611"), (tmp_path / "nowhere", "@last")):
        refused = invoke(text, where=where).exception
        assert isinstance(refused, UsageError)
        assert len(refused.lines) <= 4
    assert not (tmp_path / "out").exists()


def test_a_study_whose_plan_is_damaged_is_refused(invoke, tmp_path):
    folder = tmp_path / "damaged/studies/a"
    folder.mkdir(parents=True)
    (tmp_path / "damaged/FORMAT").write_text('{"layout": 1}')
    (folder / "study.json").write_text('{"study_id": "a"}')
    refused = invoke("a", where=tmp_path / "damaged").exception
    assert isinstance(refused, CannotError)
    assert not (tmp_path / "out").exists()


def test_a_study_of_which_nothing_has_run_has_a_page_that_says_so(invoke, store, tmp_path):
    bare = tmp_path / "bare"
    newest = index.studies(store)[0]
    (bare / "studies" / newest).mkdir(parents=True)
    (bare / "FORMAT").write_text('{"layout": 1}')
    plan = store / "studies" / newest / "study.json"
    (bare / "studies" / newest / "study.json").write_bytes(plan.read_bytes())
    ran = invoke(newest, where=bare)
    assert ran.exit_code == 0, ran.exception
    assert "No row was run" in next((tmp_path / "out").iterdir()).read_text(encoding="utf-8")


def test_a_store_of_a_newer_bench_is_refused(invoke, store, tmp_path):
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "FORMAT").write_text('{"layout": 99}')
    refused = invoke("@last", where=newer).exception
    assert isinstance(refused, CannotError)
    assert "newer bench" in refused.hint


def test_a_torn_file_is_left_out_and_named_on_the_page(invoke, tmp_path):
    torn = tmp_path / "torn"
    with tarfile.open(PACKED) as packed:
        packed.extractall(torn, filter="data")
    newest = index.studies(torn)[0]
    file = min((torn / "launches" / newest).glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:100])
    ran = invoke("@last", "--format", "md", where=torn)
    assert ran.exit_code == 0, ran.exception
    text = next((tmp_path / "out").iterdir()).read_text(encoding="utf-8")
    assert "has 100 bytes of" in text


def test_a_folder_that_cannot_be_made_is_told_and_nothing_is_written(invoke, tmp_path):
    (tmp_path / "taken").write_text("mine")
    refused = invoke("@last", "--format", "md", into="taken").exception
    assert isinstance(refused, CannotError)
    assert "-o" in refused.hint
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.fixture
def two(tmp_path):
    """A study, and a later one of the same work that is a tenth slower."""
    rates = (1000.0, 1004.0, 996.0, 1002.0, 998.0, 1001.0)
    made = Store.open(tmp_path / "two")
    measured(made, "s-01", rates)
    measured(made, "s-02", [0.9 * each for each in rates])
    measured(made, "s-03", rates, precision="bf16")
    return made.path


def test_the_study_reported_is_what_is_judged_in_every_format(invoke, two, tmp_path):
    ran = invoke("s-02", "--compare", "s-01", "--format", "html,md,tex,csv,json", where=two)
    assert ran.exit_code == 0, ran.exception
    out = tmp_path / "out"
    for name in ("s-02.html", "s-02.md", "s-02.tex", "s-02-standalone.tex", "s-02-compared.csv"):
        text = " ".join((out / name).read_text(encoding="utf-8").split())
        assert "B is SLOWER on single" in text, name
        assert "B is FASTER" not in text, name
        assert "s-01" in text, name
    document = json.loads((out / "s-02.json").read_text(encoding="utf-8"))["comparison"]
    assert (document["a"]["study_id"], document["b"]["study_id"]) == ("s-01", "s-02")
    assert document["rows"][0]["ratio"]["estimate"] == pytest.approx(0.9)
    (speed, *_) = csv.DictReader(io.StringIO((out / "s-02-compared.csv").read_text(encoding="utf-8")))
    assert (speed["a"], speed["b"], speed["verdict"]) == ("s-01", "s-02", "SLOWER")
    assert float(speed["ratio"]) == pytest.approx(document["rows"][0]["ratio"]["estimate"])


def test_every_format_says_why_two_studies_are_not_compared(invoke, two, tmp_path):
    assert invoke("s-03", "--compare", "s-01", "--format", "html,md,tex,csv,json", where=two).exit_code == 0
    for name in ("s-03.html", "s-03.md", "s-03.tex", "s-03-compared.csv", "s-03.json"):
        assert "precision: fp32 against bf16" in (tmp_path / "out" / name).read_text(encoding="utf-8"), name


def test_another_study_that_is_not_there_is_named_as_that(invoke, two):
    ran = invoke("s-02", "--compare", "s-09", where=two)
    assert isinstance(ran.exception, UsageError)
    assert ran.exception.message.startswith("--compare, s-09, was not found")
