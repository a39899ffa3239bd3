"""`bench report`: from a store to files, with every mistake told before anything is written."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fabricated_studies as studies
import pytest
from click.testing import CliRunner

from bench.errors import UsageError
from bench.verbs.report import command

STORED = {"20261122-081455-3fa9": studies.good, "20261121-170000-77aa": studies.quick}


@pytest.fixture
def invoke(monkeypatch, tmp_path):
    """Run the command against a store of two studies."""

    def resolve(store: Path, text: str) -> str:
        meant = [study_id for study_id in STORED if study_id.startswith(text.replace("@last", next(iter(STORED))))]
        if len(meant) != 1:
            raise UsageError(f"no study {text!r}")
        return meant[0]

    def analysed(store: Path, study_id: str):
        return replace(STORED[study_id](), study_id=study_id)

    from bench.store import read

    monkeypatch.setattr(read, "resolve", resolve)
    monkeypatch.setitem(sys.modules, "bench.study", SimpleNamespace(analysed=analysed))

    def run(*arguments):
        return CliRunner().invoke(command, [*map(str, arguments), "-o", str(tmp_path / "out")])

    return run


def test_it_prints_the_paths_it_wrote_and_nothing_else(invoke, tmp_path):
    told = invoke("@last", "--format", "md,csv")
    assert told.exit_code == 0
    paths = told.stdout.splitlines()
    assert [Path(path).name for path in paths] == ["20261122-081455-3fa9.md", "20261122-081455-3fa9.csv"]
    assert all(Path(path).is_file() for path in paths)


def test_several_studies_are_written_each_under_its_own_id_and_once(invoke, tmp_path):
    invoke("@last", "20261121", "20261122", "--format", "csv")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "20261121-170000-77aa.csv",
        "20261122-081455-3fa9.csv",
    ]


def test_json_is_one_document_with_the_paths(invoke):
    told = json.loads(invoke("@last", "--json").stdout)
    assert told["schema"] == "bench.report/1"
    assert told["exit"] == 0
    assert told["reports"][0]["study"] == "20261122-081455-3fa9"
    assert {Path(path).suffix for path in told["reports"][0]["paths"]} == {".md", ".tex", ".csv"}


@pytest.mark.parametrize("name", ["docx", "", "md,,csv"])
def test_a_format_there_is_not_is_a_usage_error_that_names_those_there_are(invoke, tmp_path, name):
    refused = invoke("@last", "--format", name).exception
    assert isinstance(refused, UsageError)
    assert "csv, md, tex" in refused.hint
    assert not (tmp_path / "out").exists()


def test_an_unknown_study_writes_nothing_of_the_known_ones(invoke, tmp_path):
    assert isinstance(invoke("@last", "nonsense").exception, UsageError)
    assert not (tmp_path / "out").exists()


def test_no_study_is_a_usage_error(invoke):
    assert invoke().exit_code == 2
