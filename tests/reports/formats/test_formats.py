"""Markdown, LaTeX and CSV: what each must hold, and what no name in it may break."""

import csv
import io
import re
from dataclasses import replace

import pytest

from bench.analysis.report import of_study
from reports import formats
from reports.formats import md
from tests.reports import fabricated_comparisons as comparisons
from tests.reports import fabricated_studies as studies

HOSTILE = "a_b%&#$~^\\{}<>|\"'`[x](y)*é中\x1b[31m\n--end"
NAMES = [name for name in formats.names() if name not in {"pdf", "figures"}]  # which are the page, drawn or printed


def hostile():
    study = studies.failed_rank()
    rows = tuple(
        replace(row, reasons=(HOSTILE,), reasons_null={"peak_memory_bytes": HOSTILE}, peak_memory_bytes=None)
        for row in study.rows
    )
    title = replace(study.title, model=HOSTILE, data=HOSTILE, device=HOSTILE)
    return replace(study, title=title, rows=rows, warnings=(HOSTILE,), study_id="a_b")


def rendered(name: str, study) -> str:
    """All files of one format, one after the other."""
    return "".join(formats.find(name).render(of_study(study)).values())


def test_the_formats_are_the_files_that_are_there():
    assert {"md", "tex", "csv"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", studies.ALL.values(), ids=studies.ALL)
def test_every_exported_table_names_the_scaling_and_the_baseline(name, made):
    text = rendered(name, made()).lower()
    assert made().title.scaling in text
    assert "baseline" in text
    if made().baseline:
        assert made().baseline.configuration.strategy in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", studies.ALL.values(), ids=studies.ALL)
def test_every_row_is_in_every_export_with_its_status(name, made):
    text = rendered(name, made()).replace("\\_", "_")
    for row in made().rows:
        assert row.configuration.strategy in text
        assert row.status in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", [studies.good, studies.accelerators, hostile])
def test_the_same_study_gives_the_same_bytes(name, made):
    assert formats.find(name).render(of_study(made())) == formats.find(name).render(of_study(made()))


@pytest.mark.parametrize("study", ["good", "failed_rank", "accelerators"])
@pytest.mark.parametrize("name", ["md", "tex", "csv"])
def test_the_files_are_the_approved_ones(name, study, approved):
    for suffix, text in formats.find(name).render(of_study(studies.ALL[study]())).items():
        approved(text, f"{study}{suffix}")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_brings_no_control_character_into_a_file(name):
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", rendered(name, hostile())) is None


# Markdown


def test_a_markdown_table_has_as_many_cells_in_every_line_whatever_the_names():
    lines = [line for line in rendered("md", hostile()).splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + len(hostile().rows)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_markdown_shows_a_hostile_name_as_it_is():
    text = rendered("md", hostile())
    assert r"a\_b%&#\$~^\\{}\<>\|" in text
    assert "[x](y)" not in text  # a link


# CSV


def records(study) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(rendered("csv", study))))


def test_csv_has_a_row_for_each_configuration_and_unrounded_numbers():
    study = studies.good()
    for row, record in zip(study.rows, records(study), strict=True):
        assert float(record["samples_per_s"]) == row.throughput.estimate
        assert tuple(map(float, record["launch_samples_per_s"].split(";"))) == row.rates
        assert record["baseline"] == "single-cpu-1x1"
        assert float(record["baseline_samples_per_s"]) == study.rows[0].throughput.estimate


def test_csv_headers_are_snake_case():
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in records(studies.good())[0])


def test_csv_is_empty_where_there_is_nothing_and_never_zero():
    crashed = records(studies.failed_rank())[1]
    for name in ("samples_per_s", "speedup_low", "step_p50_ms", "epoch_s", "data_wait_share", "peak_memory_bytes"):
        assert crashed[name] == ""
    assert crashed["missing"] == ('{"speedup": "no launch gave a number", "throughput": "no launch gave a number"}')


def test_csv_never_says_nan():
    study = studies.good()
    broken = replace(study.rows[1], data_wait=float("nan"), mfu=float("inf"))
    record = records(replace(study, rows=(study.rows[0], broken)))[1]
    assert record["data_wait_share"] == record["mfu_share"] == ""


def test_a_comparison_stands_in_markdown_under_its_own_heading():
    assert md.compared(comparisons.slower()).startswith("## Compared: 2611220824-lenet-large-bbbb against ")
