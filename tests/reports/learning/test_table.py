"""What a study learned, and what others published, in the terminal, in Markdown and in JSON: the same everywhere."""

import json
from dataclasses import replace

import pytest

from bench.analysis import report
from bench.analysis.result import Cause, Diagnosis, Estimate, PublishedComparison, Target, TimeTo
from bench.plan import Published
from reports.formats import md
from reports.learning import table, why
from reports.scaling import document, terminal
from reports.text.console import console_for
from tests.reports.fabricated_studies import quick

HARDWARE = {"hardware": "Apple M4", "device": "mps", "source": "a report"}


def without_interval(value):
    return Estimate(estimate=value, low=None, high=None, n=1, method="")


def beside(metric, published, measured, *, ratio=None, apart=(), reason=None, **found):
    difference = None if measured is None else replace(measured, estimate=measured.estimate - published)
    return PublishedComparison(
        published=Published(metric=metric, value=published, **{**HARDWARE, **found}),
        configuration="single-cpu-1x1",
        measured=measured,
        difference=difference,
        ratio=ratio,
        apart=apart,
        reason=reason,
    )


def learned():
    """A training of three seeds that missed one of its two targets."""
    study = quick()
    seeds = Estimate(estimate=71.3, low=70.1, high=72.5, n=3, method="t interval on top-1 over seeds")
    difference = replace(seeds, estimate=-0.2, low=-1.4, high=1.0)
    top1 = replace(beside("top1", 71.5, seeds, unit="%", low=71, high=72, epochs=20), difference=difference)
    base = study.rows[0]
    accuracy = replace(
        base.accuracy,
        top1=0.713,
        low=0.701,
        high=0.725,
        seeds=3,
        epoch=20,
        best_top1=0.719,
        best_epoch=18,
        train_top1=0.802,
        gap=0.089,
    )
    reached = TimeTo(top1=0.7, reached=3, launches=3, epochs=16.0, cold_s=412.0, warm_s=404.2, train_s=390.8)
    row = replace(base, accuracy=accuracy, times_to=(reached,))
    target = Target(metric="top1", wanted=0.7, at_most=False, configuration=row.key, measured=0.713, missed_by=0.0)
    return replace(
        study,
        title=replace(study.title, seeds=(1, 2, 3), profile="s2-lenet-large"),
        rows=(row,),
        published=(
            top1,
            beside(
                "training_s",
                105,
                without_interval(404.2),
                ratio=404.2 / 105,
                unit="s",
                epochs=20,
                apart=("other hardware",),
            ),
            beside("params", 1982602, without_interval(1982602), note="about 1.98 million"),
            beside("recall", 35.4, None, unit="%", class_name="cat", reason="no class 'cat' in this data"),
        ),
        targets=(target, replace(target, metric="worst_recall", wanted=0.5, measured=0.4456, missed_by=0.0544)),
    )


def in_the_terminal(study, stream, width=120):
    out = stream()
    terminal.show(study, console_for(out, width=width), store="bench-results")
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_tells_it_as_approved(approved, stream, width):
    approved(in_the_terminal(learned(), stream, width), f"learned.{width}.txt")


def test_what_sets_two_runs_apart_is_said_whatever_the_width(stream):
    for width in (60, 80, 120, 200):
        assert "other hardware" in in_the_terminal(learned(), stream, width).lower()


def test_markdown_tells_it_as_approved(approved):
    approved(md.render(report.of_study(learned()))[".md"], "learned.md")


def test_a_study_of_speed_says_nothing_of_learning(stream):
    text = in_the_terminal(quick(), stream)
    assert "published" not in text
    assert "generalisation" not in text


def test_json_has_every_pair_and_target_unrounded(stream):
    payload = json.loads(json.dumps(document.scale_document(learned(), "store", 0)))
    first, second, _, missing = payload["published"]
    assert (first["metric"], first["value"], first["measured"]["low"]) == ("top1", 71.5, 70.1)
    assert second["ratio"] == 404.2 / 105
    assert (missing["measured"], missing["reason"]) == (None, "no class 'cat' in this data")
    assert [each["missed_by"] for each in payload["targets"]] == [0.0, 0.0544]
    assert payload["rows"][0]["accuracy"]["best_epoch"] == 18
    assert payload["rows"][0]["times_to"][0]["warm_s"] == 404.2
    assert (payload["title"]["seeds"], payload["title"]["profile"]) == ([1, 2, 3], "s2-lenet-large")


def test_only_what_was_missed_fails_the_gate_and_it_says_by_how_much():
    (found,) = table.missed(learned())
    assert found.replace("\u202f", " ") == (
        "accuracy: recall of the worst class was to be at least 50.0 %: missed by 5.44 points (single-cpu-1x1)"
    )


def test_a_target_that_was_not_measured_is_missed():
    study = learned()
    lacking = replace(study.targets[0], measured=None, missed_by=None)
    (found,) = table.missed(replace(study, targets=(lacking,)))
    assert "was not measured" in found


def test_an_accuracy_nobody_reached_says_so():
    row = learned().rows[0]
    never = replace(row.times_to[0], reached=0, epochs=None, cold_s=None, warm_s=None, train_s=None)
    (found,) = table.sentences(replace(learned(), rows=(replace(row, times_to=(never,)),)))
    assert "70.0\u202f% was not reached" in found


def test_causes_are_numbered_with_cost_fix_and_source_and_the_rest_is_named():
    cause = Cause(name="schedule", seen="the rate stayed", low=3, high=5, source="somebody", fix="a cosine")
    text = "\n".join(why.lines(Diagnosis(configuration="row", top1=0.6258, causes=(cause,), sound=("stem", "length"))))
    assert "row: top-1 62.58 %" in text
    assert "1. schedule (usually 3 to 5 points): the rate stayed" in text
    assert "   fix: a cosine" in text
    assert "   from: somebody" in text
    assert "Looked at and not found: stem and length." in text


def test_no_cause_is_said_plainly():
    found = list(why.lines(Diagnosis(configuration="row", top1=None, causes=(), sound=("stem",)), "Known: 95 %."))
    assert found[:3] == [
        "row: no accuracy was recorded",
        "Known: 95 %.",
        "Nothing that usually costs accuracy was found in the record.",
    ]
