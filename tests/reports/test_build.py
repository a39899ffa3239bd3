"""Report files appear whole, or nothing does."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import whole_file
from bench.analysis.report import of_study
from bench.errors import CannotError, UsageError
from reports import formats
from reports.build import write
from tests.reports import fabricated_studies as studies


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}


def test_each_format_is_written_under_the_studys_id(tmp_path):
    paths = write(of_study(studies.good()), ["md", "tex", "csv"], tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [
        "20261122-081455-3fa9.md",
        "20261122-081455-3fa9.tex",
        "20261122-081455-3fa9-standalone.tex",
        "20261122-081455-3fa9.csv",
    ]
    rendered = {
        f"20261122-081455-3fa9{suffix}": text
        for name in ("md", "tex", "csv")
        for suffix, text in formats.find(name).render(of_study(studies.good())).items()
    }
    assert contents(tmp_path / "new" / "folder") == rendered


def test_a_format_asked_for_twice_is_written_once(tmp_path):
    assert len(write(of_study(studies.good()), ["csv", "csv"], tmp_path)) == 1


def test_writing_again_gives_the_same_bytes(tmp_path):
    write(of_study(studies.good()), ["md", "tex", "csv"], tmp_path)
    before = contents(tmp_path)
    write(of_study(studies.good()), ["md", "tex", "csv"], tmp_path)
    assert contents(tmp_path) == before


def test_an_unknown_format_is_refused_with_those_there_are_and_nothing_is_written(tmp_path):
    with pytest.raises(UsageError, match="no report format 'xls'") as refused:
        write(of_study(studies.good()), ["md", "xls"], tmp_path)
    assert all(name in refused.value.hint for name in formats.names())
    assert contents(tmp_path) == {}


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(CannotError, match=r"cannot write the report to .*report: "):
        write(of_study(studies.good()), ["md"], tmp_path / "report")
    assert (tmp_path / "report").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CannotError, match="Permission denied"):
            write(of_study(studies.good()), ["md"], tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_when_the_disk_fills_up_the_earlier_report_stays_and_no_draft_is_left(tmp_path, monkeypatch):
    write(of_study(studies.good()), ["md", "csv"], tmp_path)
    before = contents(tmp_path)
    really_draft = whole_file.drafted

    @contextmanager
    def full_after_the_first(file):
        with really_draft(file) as draft:
            yield draft
            if file.suffix == ".csv":
                raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file, "drafted", full_after_the_first)
    with pytest.raises(CannotError, match="No space left on device"):
        write(of_study(studies.undecided()), ["md", "csv"], tmp_path)
    assert contents(tmp_path) == before


def test_a_folder_in_the_place_of_a_report_is_left_alone(tmp_path):
    (tmp_path / "20261122-081455-3fa9.csv").mkdir()
    with pytest.raises(CannotError, match="is a folder"):
        write(of_study(studies.good()), ["md", "csv"], tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["20261122-081455-3fa9.csv"]
