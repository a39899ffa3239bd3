"""One model, many outputs: the numbers read back from each are the same, and they are the study's."""

import csv
import io
import json
import re

import pytest

from bench.analysis.report import of_study
from reports import formats
from reports.scaling.document import scale_document
from reports.scaling.table import build
from reports.scaling.terminal import show
from reports.text import fmt, latex
from reports.text.console import console_for
from tests.reports import fabricated_studies as studies
from tests.reports import read_back

MADE = [
    studies.good,
    studies.failed_rank,
    studies.missing_baseline,
    studies.quick,
    studies.accelerators,
    studies.undecided,
]


def from_terminal(study, stream) -> list[dict[str, str]]:
    target = stream()
    show(study, console_for(target), store="s", wide=True)
    return read_back.terminal(target.getvalue())


def from_markdown(study) -> list[dict[str, str]]:
    return read_back.markdown(formats.find("md").render(of_study(study))[".md"])


def from_latex(study) -> list[dict[str, str]]:
    return read_back.latex(formats.find("tex").render(of_study(study))[".tex"])


def from_page(study) -> list[dict[str, str]]:
    return read_back.page(formats.find("html").render(of_study(study))[".html"])


def numbers(cell: str) -> list[str]:
    """The numbers in a cell: `1 303.1 [1 298.3, 1 308.0]` has three."""
    return [each.replace(" ", "") for each in re.findall(r"\d{1,3}(?: \d{3})+(?:\.\d+)?|\d+(?:\.\d+)?", cell)]


def twelve_digits(value: float) -> float:
    """As a CSV has it: as many digits as libraries of mathematics agree on."""
    return float(f"{value:.12g}")


def assert_shows(text: str, value: float | None, scale: float = 1) -> None:
    """The number shown is the value, rounded to the digits shown."""
    assert value is not None
    half_a_digit = 0.5 * 10 ** -len(text.partition(".")[2])
    assert abs(float(text) - scale * value) <= half_a_digit * (1 + 1e-9), (text, scale * value)


@pytest.mark.parametrize("made", MADE)
def test_terminal_markdown_and_latex_show_the_same_texts(made, stream):
    wide, markdown, typesetting = from_terminal(made(), stream), from_markdown(made()), from_latex(made())
    assert wide == markdown
    for row, typeset, found in zip(wide, typesetting, made().rows, strict=True):
        rest = dict(typeset)
        assert f"{rest.pop('speedup')} {rest.pop('speedup [95 %]', '')}".strip() == row["speedup [95 %]"]
        efficiency = rest.pop("eff. (%)", rest.pop("eff.", fmt.MISSING))
        efficiency += "" if efficiency == fmt.MISSING else " %"
        whole = row["eff. [95 %]"]
        assert f"{efficiency} {rest.pop('eff. [95 %]', whole.partition(' %')[2].strip())}".strip() == whole
        rate, _, uncertainty = rest.pop("samples/s").partition("(")
        assert rate == row["samples/s"].replace(" ", "")
        if fmt.has_interval(found.throughput) if found.throughput else False:
            half = (found.throughput.high - found.throughput.low) / 2
            digit = 10 ** -len(rate.partition(".")[2])
            assert abs(int(uncertainty.removesuffix(")")) * digit - half) <= 0.5 * digit * (1 + 1e-9)
        else:
            assert not uncertainty
        for header, cell in rest.items():
            unit = " %" if header.endswith(" (%)") and cell != fmt.MISSING else ""
            name = header.removesuffix(" (%)")
            plain = {key: value.replace(" ", "") for key, value in row.items()}
            assert f"{cell}{unit}".replace(" ", "") == plain.get(name, plain.get(f"{name}/rank"))


@pytest.mark.parametrize("made", MADE)
def test_the_page_shows_the_same_texts_as_the_terminal(made, stream):
    """Its first table; what is left out there stands in a second one."""
    for shown, row in zip(from_page(made()), from_terminal(made(), stream), strict=True):
        assert {"mode", "ranks", "samples/s", "speedup [95 %]", "eff. [95 %]", "status"} <= shown.keys()
        assert shown == {header: row[header] for header in shown}


@pytest.mark.parametrize("made", MADE)
def test_what_the_table_shows_is_what_json_and_csv_hold(made, stream):
    study = made()
    document = json.loads(json.dumps(scale_document(study, "s", 0)))["rows"]
    records = list(csv.DictReader(io.StringIO(formats.find("csv").render(of_study(study))[".csv"])))
    for cells, row, record in zip(from_terminal(study, stream), document, records, strict=True):
        for header, key, column, scale in (
            ("samples/s", "throughput", "samples_per_s", 1),
            ("speedup [95 %]", "speedup", "speedup", 1),
            ("eff. [95 %]", "efficiency", "efficiency", 100),
        ):
            shown, estimate = numbers(cells[header].replace("[95 %]", "")), row[key]
            if estimate is None:
                assert record[column] == ""
                assert cells[header] in {fmt.MISSING, "1.00 (baseline)", "100 %"}
                continue
            assert float(record[column]) == twelve_digits(estimate["estimate"])
            for text, end in zip(shown, ("estimate", "low", "high"), strict=False):
                assert_shows(text, estimate[end], scale)
            if len(shown) == 3:
                assert (float(record[f"{column}_low"]), float(record[f"{column}_high"])) == (
                    twelve_digits(estimate["low"]),
                    twelve_digits(estimate["high"]),
                )
        if row["step_ms"]["p50"] is not None:
            for text, percentile in zip(numbers(cells["step p50/p95 ms"]), ("p50", "p95"), strict=True):
                assert_shows(text, row["step_ms"][percentile])
                assert float(record[f"step_{percentile}_ms"]) == twelve_digits(row["step_ms"][percentile])
            assert_shows(numbers(cells["epoch s"])[0], row["epoch_s"]["estimate"])
            assert cells["epoch s"].startswith("~") == row["epoch_s"]["projected"]
        if row["accuracy"]:
            assert_shows(numbers(cells["acc top-1"])[0], row["accuracy"]["top1"], 100)
            assert float(record["top1_share"]) == twelve_digits(row["accuracy"]["top1"])
        assert cells["status"] == row["status"] == record["status"]
        assert cells.get("verdict", "") == (row["verdict"] or "") == record["verdict"]


@pytest.mark.parametrize("made", studies.ALL.values(), ids=studies.ALL)
def test_the_sentence_is_the_same_everywhere(made, stream):
    study = made()
    sentence = build(study).sentence
    target = stream()
    show(study, console_for(target, width=1000), store="s")
    assert sentence.replace(fmt.NARROW, " ") in target.getvalue()
    assert scale_document(study, "s", 0)["verdict"] == sentence.replace(fmt.NARROW, " ")
    assert latex.escape(sentence) in formats.find("tex").render(of_study(study))[".tex"]
