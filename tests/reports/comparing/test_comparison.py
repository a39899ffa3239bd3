"""Comparisons told: the words carry the meaning, nothing is wrapped, and every output says the same."""

import json
from dataclasses import replace

import pytest
from rich.cells import cell_len

from bench.analysis.comparing.gates import Ruling
from reports.comparing import calibration, comparison, document, machines
from reports.text.console import console_for
from tests.reports import fabricated_comparisons as made

SLOWER = (Ruling(gate="slower", about="throughput of ddp-cpu-2x1", decision="fail"),)


@pytest.fixture
def printed(stream):
    """What is printed to a stream of that kind."""

    def render(show, found, *, width=80, encoding="utf-8", color=False, **given):
        target = stream(is_terminal=color, encoding=encoding)
        show(found, console_for(target, width=width, color=color), **given)
        return target.getvalue()

    return render


@pytest.mark.parametrize("name", made.ALL)
def test_a_comparison_looks_as_it_was_approved(printed, approved, name):
    approved(printed(comparison.show, made.ALL[name]()), f"compare-{name}.80.txt")


def test_machines_and_calibrations_look_as_they_were_approved(printed, approved):
    approved(printed(machines.show, made.fleet()), "compare-machines.80.txt")
    approved(printed(calibration.show, made.calibration(), store="bench-results"), "calibrate.80.txt")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", [*made.ALL, "machines", "calibration"])
def test_no_line_is_longer_than_the_terminal_is_wide(printed, name, encoding, width):
    if name == "machines":
        text = printed(machines.show, made.fleet(), width=width, encoding=encoding)
    elif name == "calibration":
        text = printed(calibration.show, made.calibration(), width=width, encoding=encoding, store="bench-results")
    else:
        text = printed(comparison.show, made.ALL[name](), width=width, encoding=encoding)
    assert text.strip()
    for line in text.splitlines():
        assert cell_len(line) <= width


def test_the_fingerprints_come_before_the_table_and_the_table_before_the_verdict(printed):
    text = printed(comparison.show, made.slower())
    places = [
        text.index(word)
        for word in ("DNA", "can change numbers", "can change speed", "cosmetic", "quantity", "Verdict")
    ]
    assert places == sorted(places)


def test_without_colour_every_verdict_is_a_word(printed):
    text = printed(comparison.show, made.slower())
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("  samples/s")]
    assert [line.split()[-1] for line in rows] == ["EQUIVALENT", "SLOWER"]


def test_no_ratio_is_printed_of_what_cannot_be_compared(printed):
    for name in ("refused", "incomparable"):
        text = printed(comparison.show, made.ALL[name]())
        assert "[" not in text.replace("[95 %]", "")
    assert "Not comparable, so there is no ratio: precision: fp32 against bf16" in " ".join(text.split())


def test_doubt_says_how_many_more_launches_would_decide():
    text = comparison.sentence(made.undecided())
    assert "INCONCLUSIVE" in text
    assert "needs at least 3 more launches a side" in text


def test_a_quantity_that_nobody_measured_is_a_note_and_no_row(printed):
    text = printed(comparison.show, made.slower())
    assert text.count("Energy: not measured by A and B.") == 1
    assert "J/sample" not in text


def test_the_document_has_the_same_verdicts_unrounded():
    found = made.slower()
    payload = json.loads(json.dumps(document.document(found, SLOWER, 4)))
    assert (payload["schema"], payload["exit"], payload["comparable"]) == ("bench.comparison/1", 4, True)
    assert [row["verdict"] for row in payload["rows"]] == [row.verdict and row.verdict.word for row in found.rows]
    assert payload["rows"][4]["ratio"]["estimate"] == 2019.8 / 2253.4
    assert payload["dna"][0] == {"field": "software.torch", "a": "2.14.1", "b": "2.15.0", "effect": "numbers"}
    energy = payload["rows"][2]
    assert (energy["a"], energy["b"], energy["ratio"], energy["verdict"]) == (None, None, None, None)
    assert (payload["decision"], payload["failed"]) == ("fail", ["slower: throughput of ddp-cpu-2x1"])


def test_the_document_of_the_contract_has_every_key_of_it():
    payload = document.document(made.undecided(), [], 0)
    assert {"schema", "comparable", "dna", "rows"} <= payload.keys()
    assert {"strategy", "ranks", "metric", "a", "b", "ratio", "verdict", "detectable", "reasons"} <= payload["rows"][
        0
    ].keys()
    assert payload["rows"][0]["more_launches"] == 3


def test_the_documents_of_machines_and_calibrations_are_plain_json():
    payload = json.loads(json.dumps(document.machines_document(made.fleet(), [], 0)))
    assert [each["outlier"] for each in payload["rows"][0]["machines"]] == [None, None, None, "SLOWER", None, None]
    payload = json.loads(json.dumps(document.calibration_document(made.calibration(), "here", 0)))
    assert payload["schema"] == "bench.calibration/1"
    assert payload["detectable"] == {"3": 1.031, "6": 1.0152, "10": 1.0111}


def test_a_calibration_with_alarms_warns_and_one_without_comparisons_claims_nothing():
    assert "do not trust" not in calibration.sentence(made.calibration())
    alarming = made.calibration(alarms=8)
    alarming = replace(alarming, disjoint=replace(alarming.disjoint, low=0.44, high=0.97))
    assert "do not trust them" in calibration.sentence(alarming)
    assert "Too few launches" in calibration.sentence(made.calibration(comparisons=0, high=None))
