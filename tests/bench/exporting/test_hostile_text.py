"""Names and reasons from outside do nothing to whoever opens an export, and no two classes become one."""

import csv
import io
import json
from dataclasses import replace

import pytest

from bench.analysis.anonymous import without_names
from bench.errors import CannotError
from bench.exporting import tables
from bench.exporting.targets import csv as to_csv
from bench.exporting.targets import huggingface, mlflow
from bench.exporting.targets import json as to_json
from bench.store.schema import ClassScore

FORMULAS = ('=HYPERLINK("http://x")', "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\x1b[2J=1")
ESCAPES = ("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "bell\x07", "\x9b2J", "turn\u202eed", "\u2066isolate", "nul\0")


def written(record, tmp_path, name):
    files = {"csv": to_csv, "json": to_json}[name].write(record, tmp_path, print)
    return "".join(file.read_text(encoding="utf-8") for file in files)


def named(record, text):
    """The record with this text wherever text from outside stands."""
    runs = tuple(
        replace(
            run,
            launch=replace(run.launch, reason=text, model=text, warnings=(text,)),
            classes=tuple(replace(each, name=f"{text} {each.label}") for each in run.classes),
        )
        for run in record.runs
    )
    return replace(record, runs=runs)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(of, tmp_path, text):
    for file in to_csv.write(named(of(), text), tmp_path, print):
        if file.suffix == ".csv":
            for row in csv.reader(io.StringIO(file.read_text(encoding="utf-8"))):
                for cell in row:
                    assert cell[:1] not in {"=", "+", "@", "\t", "\r", "\n", "\uff1d"}
                    if cell.startswith("-"):
                        float(cell)
    assert to_csv.as_csv([{"a": -1.5, "b": -2, "c": "-2", "d": "fine"}]).splitlines()[1] == "-1.5,-2,'-2,fine"


@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.parametrize("name", ["csv", "json"])
def test_nothing_in_an_export_acts_on_a_terminal_or_turns_text_round(of, tmp_path, text, name):
    whole = written(named(of(), text), tmp_path, name)
    assert all(char.isprintable() or char in "\n\u202f" for char in whole)


@pytest.mark.parametrize("text", ESCAPES)
def test_an_error_does_not_act_on_a_terminal(text):
    assert all(line.isprintable() for line in CannotError(f"it said {text}\n{text}", hint=text).lines)


def classes(*names):
    return [
        ClassScore(
            study_id="s", launch_id="s.r00p00", epoch=0, label=label, name=name, support=1, confusion=(0,) * len(names)
        )
        for label, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("<5", "=5", ">5"),
        ("a/b", "a//b", "a_b"),
        ("", " ", "x"),
        ("", ".", ".."),
        ("猫", "犬", "?"),
        ("cat", "Cat"),
        ("a b", "a\tb"),
        ("1 <", "1 =", "0 1 _"),
        ("n" * 300 + "1", "n" * 300 + "2"),
    ],
)
def test_classes_stay_apart_in_the_names_of_metrics(names):
    found = tables.labels(classes(*names), mlflow._key)
    assert len({each.casefold() for each in found}) == len(names)
    assert all(each and each.strip("./ ") for each in found)
    assert all(letter.isalnum() or letter in "_-./: " for each in found for letter in each)


def test_names_that_are_fine_stay_as_they_are():
    assert tables.labels(classes("cat", "dog|wolf")) == ["cat", "dog|wolf"]
    assert tables.labels(classes("cat", "dog|wolf"), mlflow._key) == ["cat", "dog_wolf"]


def test_what_is_given_away_names_no_folder_host_or_user(of):
    record = of()
    plan = replace(record.plan, command="bench run --data-dir /home/ada/data --model /home/ada/net.py:build")
    first = replace(record.runs[0], launch=replace(record.runs[0].launch, reason="no file /home/ada/x.png on lab7"))
    report = without_names(replace(record, plan=plan, runs=(first, *record.runs[1:])), ("lab7", "ada"))
    text = json.dumps(to_json.document(report), ensure_ascii=False) + huggingface.card(report, report.runs[0], None)
    assert "ada" not in text.replace("readable", "")
    assert "lab7" not in text
    assert "net.py:build" in text
    assert report.runs[0].dna is not None
    json.loads(report.runs[0].dna.identity)
