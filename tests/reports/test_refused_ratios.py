"""Rows that may have no ratio have none in any form of the report, and each form says why. From real stores."""

import base64
import csv
import importlib.util
import io
import json
import os
import re
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import study
from bench.store import schema
from bench.verbs.report import command
from reports.scaling.terminal import show
from reports.text import fmt
from reports.text.console import console_for
from tests.reports import read_back

REPOSITORY = Path(__file__).parents[2]
FORMS = ("terminal", "md", "tex", "standalone", "html", "csv", "json")
RATIOS = ("speedup", "efficiency")
STUDY = "20261122-0814-refused"
ALL = (("single", 1), *(("ddp", ranks) for ranks in range(1, 5)))
RATIO = re.compile(r"\d\.\d+ ?x\b|\d ?% efficient")  # as sentences tell one


@pytest.fixture(scope="module")
def generated():
    spec = importlib.util.spec_from_file_location("generated_store", REPOSITORY / "benchmarks" / "generated_store.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Written:
    """One store's study in every form of text."""

    texts: dict[str, str]

    def seen(self, form: str) -> str:
        """What a reader sees, on one line: without tags, escapes, line breaks and hidden data."""
        text = self.texts[form]
        if form == "html":
            text = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
        if form in {"tex", "standalone"}:
            text = re.sub(r"\\(?=[%_&#$])", "", text).replace(r"\,", " ").replace("-{}-", "--")
        if form == "md":
            text = re.sub(r"\\(?=[_*`|<$\\])", "", text)
        return " ".join(unescape(text).replace(fmt.NARROW, " ").split())

    def table(self, form: str) -> dict[tuple[str, str], dict[str, str]]:
        read = {"terminal": read_back.terminal, "md": read_back.markdown, "html": read_back.page}
        rows = read.get(form, read_back.latex)(self.texts[form])
        return {(row["mode"], row["ranks"]): row for row in rows}

    @property
    def records(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.texts["csv"])))

    @property
    def document(self) -> dict:
        return json.loads(self.texts["json"])["studies"][0]

    def carried(self, ending: str) -> str:
        """The text of a file that the page carries."""
        link = re.search(
            rf'href="data:[^;]*;charset=utf-8;base64,([^"]*)"[^>]*download="[^"]*{ending}"', self.texts["html"]
        )
        link = link or re.search(
            rf'download="[^"]*{ending}"[^>]*href="data:[^;]*;charset=utf-8;base64,([^"]*)"', self.texts["html"]
        )
        return base64.b64decode(link[1]).decode()


@pytest.fixture
def written(generated, tmp_path, monkeypatch, stream):
    """Writes a study of single and ddp on 1 to 4 ranks, six rounds, and reports it in every form."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    rows = (generated.configuration("single", 1), *(generated.configuration("ddp", ranks) for ranks in range(1, 5)))

    def make(happens, *, epochs: int = 0) -> Written:
        folder = tmp_path / "store"
        generated.write(folder, launches=30, steps=120, epochs=epochs, study_id=STUDY, rows=rows, happens=happens)
        out = tmp_path / "out"
        run = CliRunner().invoke(
            command, [STUDY, "--store", str(folder), "-o", str(out), "--format", "md,tex,html,csv,json"]
        )
        assert run.exit_code == 0, run.exception
        texts = {
            form: (out / f"{STUDY}{suffix}").read_text(encoding="utf-8")
            for form, suffix in zip(
                FORMS[1:], (".md", ".tex", "-standalone.tex", ".html", ".csv", ".json"), strict=True
            )
        }
        target = stream()
        show(study.analyse(folder, STUDY), console_for(target), store=str(folder), wide=True)
        return Written({"terminal": target.getvalue(), **texts})

    return make


def no_ratio(written: Written, *refused: tuple[str, int]) -> None:
    """These rows have no speedup and no efficiency in any table, record or document, and all others have both."""
    for form in ("terminal", "md", "tex", "html"):
        for (mode, ranks), row in written.table(form).items():
            if mode == "single":
                continue
            is_refused = (mode, int(ranks)) in refused or int(ranks) > 4
            cells = [row[name] for name in row if name.startswith(("speedup", "eff."))]
            assert (cells[0] == fmt.MISSING) == is_refused, (form, mode, ranks, cells)
            assert (set(cells) <= {fmt.MISSING, ""}) == is_refused, (form, mode, ranks, cells)
    for records in (written.records, list(csv.DictReader(io.StringIO(written.carried("refused.csv"))))):
        for record in records:
            is_refused = (record["strategy"], int(record["ranks"])) in refused or int(record["ranks"]) > 4
            for name in RATIOS:
                numbers = {record[name], record[f"{name}_low"], record[f"{name}_high"], record[f"{name}_n"]}
                assert (numbers == {""}) == is_refused, record["configuration"]
    for document in (written.document, json.loads(written.carried("refused.json"))["studies"][0]):
        for row in document["rows"]:
            is_refused = (row["strategy"], row["ranks"]) in refused or row["ranks"] > 4
            assert [row[name] is None for name in RATIOS] == [is_refused] * 2, row["configuration"]
    keys = {f"{strategy}-cpu-{ranks}x1" for strategy, ranks in refused}
    assert all(each["speedup"] is None for each in written.document["all_launches"] if each["configuration"] in keys)
    launches = list(csv.DictReader(io.StringIO(written.carried("launches.csv"))))
    assert len(launches) == 30
    assert all(each["speedup_in_round"] == "" for each in launches if each["configuration"] in keys)


def nowhere(written: Written) -> None:
    """No ratio in any sentence, and no chart of them."""
    for form in FORMS:
        assert not RATIO.search(written.seen(form)), (form, RATIO.search(written.seen(form)))
    assert 'id="speedup-title"' not in written.texts["html"]
    assert 'id="efficiency-title"' not in written.texts["html"]
    assert written.document["laws"] == []


def assert_said(written: Written, text: str, forms=FORMS) -> None:
    for form in forms:
        assert text in written.seen(form), (form, text)


def only(ranks: int, strategy: str = "ddp"):
    """Launches of one row."""
    return lambda planned: (planned.configuration.strategy, planned.configuration.ranks) == (strategy, ranks)


def test_every_form_is_read_back_and_a_sound_study_has_its_ratios_in_each(written, generated):
    """Or the tests below could not fail."""
    found = written(generated.untroubled)
    no_ratio(found)
    for form in ("terminal", "md", "tex", "html", "json"):
        assert RATIO.search(found.seen(form)), form
    assert 'id="speedup-title"' in found.texts["html"]
    assert found.document["laws"] or found.document["no_law"]


def test_a_row_that_failed_in_every_launch_has_no_ratio_and_says_how_it_ended(written, generated):
    of_three = only(3)
    found = written(lambda planned, launch: generated.crashed(planned, launch) if of_three(planned) else launch)
    no_ratio(found, ("ddp", 3))
    assert_said(found, "6 of 6 launches ended as crash: exit code 1 on rank 0: RuntimeError")
    for form in ("terminal", "md", "tex", "html"):
        row = found.table(form)["ddp", "3"]
        assert row["status"] == "crash"
        assert row["samples/s"] == fmt.MISSING
    chart = found.texts["html"].partition('id="speedup-title"')[2].partition("</svg>")[0]
    assert "ddp on 3 ranks: crash" in chart  # among what is not drawn
    assert "<title>ddp, 3:" not in chart
    assert "<title>ddp, 4:" in chart
    assert found.document["no_law"].startswith("3 counts of resources")


def test_a_row_of_which_some_launches_failed_has_the_ratio_of_the_others_and_their_number(written, generated):
    of_two = only(2)
    found = written(
        lambda planned, launch: generated.crashed(planned, launch) if of_two(planned) and planned.round < 2 else launch
    )
    no_ratio(found)
    assert_said(found, "2 of 6 launches ended as crash")
    assert next(row for row in found.document["rows"] if row["ranks"] == 2)["speedup"]["n"] == 4
    assert {found.table(form)["ddp", "2"]["status"] for form in ("terminal", "md", "tex", "html")} == {"suspect"}
    assert next(each for each in found.records if each["ranks"] == "2")["launches_failed"] == "2"


def test_a_suspect_row_keeps_its_ratio_and_is_marked_wherever_it_stands(written):
    of_four = only(4)
    found = written(lambda planned, launch: replace(launch, closure_error=None) if of_four(planned) else launch)
    no_ratio(found)
    assert_said(found, "the step times were not held against the wall clock")
    assert {found.table(form)["ddp", "4"]["status"] for form in ("terminal", "md", "tex", "html")} == {"suspect"}
    for form in ("terminal", "md", "tex", "html", "json"):
        assert "ddp on 4 ranks is suspect: quote it only with its reasons." in found.seen(form), form
    captions = re.findall(r"<figcaption.*?</figcaption>", found.texts["html"], re.DOTALL)
    charts = [each for each in captions if "Speedup over" in each or "Efficiency:" in each]
    assert len(charts) == 2
    assert all("Suspect, drawn all the same: ddp on 4 ranks" in each for each in charts)


def test_an_invalid_row_has_its_rate_and_no_ratio(written):
    of_four = only(4)
    found = written(lambda planned, launch: replace(launch, closure_error=0.2) if of_four(planned) else launch)
    no_ratio(found, ("ddp", 4))
    assert_said(found, "the step times miss the wall clock by more than 0.1%")
    for form in ("terminal", "md", "tex", "html"):
        row = found.table(form)["ddp", "4"]
        assert (row["verdict"], row["status"]) == ("INVALID", "suspect")
        assert row["samples/s"].partition("(")[0] != fmt.MISSING
    chart = found.texts["html"].partition('id="speedup-title"')[2].partition("</svg>")[0]
    assert "ddp on 4 ranks: INVALID" in chart
    assert "<title>ddp, 4:" not in chart


def test_without_any_launch_of_the_baseline_no_row_has_a_ratio_and_each_says_so(written, generated):
    base = only(1, "single")
    found = written(lambda planned, launch: generated.crashed(planned, launch) if base(planned) else launch)
    no_ratio(found, *ALL)
    nowhere(found)
    assert_said(found, "the baseline has no number (6 of 6 launches ended as crash", forms=("csv", "json", "terminal"))
    for form in ("terminal", "md", "tex", "html"):
        assert "The baseline, single, has no number, so there is no speedup and no efficiency." in found.seen(form)
        assert found.table(form)["ddp", "4"]["samples/s"].partition("(")[0] != fmt.MISSING
        assert found.table(form)["single", "1"]["status"] == "crash"
        cells = [cell for name, cell in found.table(form)["single", "1"].items() if name.startswith(("speed", "eff."))]
        assert set(cells) <= {fmt.MISSING, ""}  # and no "1.00 (baseline)"
    assert found.document["no_law"] == "there is no sound baseline to count resources against"


MIXED = "launches were measured by different methods (method_version)"


OURS, OTHER = schema.METHOD_VERSION, schema.METHOD_VERSION + 1


def by_other_method(launch: schema.Launch) -> schema.Launch:
    return replace(launch, method_version=OTHER)


def test_launches_of_two_methods_in_one_row_forbid_every_ratio_of_the_study(written):
    of_two = only(2)
    found = written(
        lambda planned, launch: by_other_method(launch) if of_two(planned) and planned.round > 2 else launch
    )
    no_ratio(found, *ALL)
    nowhere(found)
    assert_said(found, MIXED)
    methods = {each["configuration"]: each["method_version"] for each in found.records}
    assert methods["ddp-cpu-2x1"] == f"{OURS};{OTHER}"
    assert methods["single-cpu-1x1"] == str(OURS)
    assert f"method {OURS}, {OTHER}." in found.seen("html")


def test_rows_of_different_methods_forbid_every_ratio_of_the_study(written):
    base = only(1, "single")
    found = written(lambda planned, launch: launch if base(planned) else by_other_method(launch))
    no_ratio(found, *ALL)
    nowhere(found)
    assert_said(found, MIXED)
    by_method = {(each["strategy"], each["method_version"]) for each in found.records if each["launches"] != "0"}
    assert by_method == {("single", str(OURS)), ("ddp", str(OTHER))}
    launches = {each["launch_id"]: each["method_version"] for each in found.document["all_launches"]}
    assert sorted(launches.values()) == [OURS] * 6 + [OTHER] * 24


def test_a_failed_launch_of_another_method_forbids_nothing(written, generated):
    """It gave no number that could be mixed with the others."""
    of_two = only(2)
    found = written(
        lambda planned, launch: (
            by_other_method(generated.crashed(planned, launch)) if of_two(planned) and planned.round == 0 else launch
        )
    )
    no_ratio(found)
    assert all(MIXED not in found.seen(form) for form in FORMS)


def test_everything_at_once_is_told_row_by_row(written, generated):
    def happens(planned, launch):
        match (planned.configuration.strategy, planned.configuration.ranks, planned.round):
            case ("ddp", 2, _):
                return replace(launch, closure_error=0.2)
            case ("ddp", 3, _):
                return generated.crashed(planned, launch)
            case ("ddp", 4, 0):
                return generated.crashed(planned, launch)
        return launch

    found = written(happens, epochs=2)
    no_ratio(found, ("ddp", 2), ("ddp", 3))
    for text in ("miss the wall clock", "6 of 6 launches ended as crash", "1 of 6 launches ended as crash"):
        assert_said(found, text)
    assert "7 of 30 launches gave no number (crash): counted here, averaged nowhere." in found.seen("html")


def test_two_studies_of_different_methods_are_told_together_and_not_divided(generated, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    rows = (generated.configuration("single", 1), generated.configuration("ddp", 2))
    folder = tmp_path / "store"
    for name, happens in (("a", generated.untroubled), ("b", lambda _, launch: by_other_method(launch))):
        generated.write(folder, launches=12, steps=120, study_id=f"{STUDY}-{name}", rows=rows, happens=happens)
    ids = [f"{STUDY}-a", f"{STUDY}-b"]
    run = CliRunner().invoke(
        command, [*ids, "--store", str(folder), "-o", str(tmp_path), "--format", "html,json", "--compare", ids[1]]
    )
    assert run.exit_code == 0, run.exception
    document = json.loads((tmp_path / f"{ids[0]}-and-1-more.json").read_text(encoding="utf-8"))
    assert [each["rows"][1]["speedup"]["n"] for each in document["studies"]] == [6, 6]  # each over its own baseline
    assert all(row["ratio"] is None for row in document["comparison"]["rows"])
    page = Written({"html": (tmp_path / f"{ids[0]}-and-1-more.html").read_text(encoding="utf-8")}).seen("html")
    assert f"Measured by different methods ({OURS}, {OTHER})" in page
    assert "no ratio across these studies is formed" in page
