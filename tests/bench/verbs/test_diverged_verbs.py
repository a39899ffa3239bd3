"""A training whose loss became NaN or infinite is read back by every verb, which all say since when."""

import json
import math

import pytest
from click.testing import CliRunner

from bench.store.commit import Store
from bench.verbs import compare, export, report, show
from tests.bench.verbs.measured_stores import measured

NAN, INF = math.nan, math.inf
RATES = (1000.0, 1004.0, 996.0, 1002.0, 998.0, 1001.0)
COURSES = {
    "NaN from the first epoch": ([[NAN] * 3] * 6, "loss NaN from epoch 1 on"),
    "NaN from a later one": ([[2.0, 1.0, NAN]] * 6, "loss NaN from epoch 3 on"),
    "NaN in one launch": ([[2.0, 1.0, 0.5]] * 5 + [[2.0, NAN, NAN]], "in 1 of 6 launches diverged"),
    "infinite": ([[2.0, INF, INF]] * 6, "loss infinite from epoch 2 on"),
    "infinite and NaN": ([[1e37, INF, NAN]] * 6, "loss infinite from epoch 2 on"),
}


@pytest.fixture(params=COURSES)
def diverged(request, tmp_path):
    """A store whose newest study diverged, and an older one of the same work that did not; what is to be said."""
    losses, found = COURSES[request.param]
    store = Store.open(tmp_path / "store")
    measured(store, "s-01", RATES, losses=[[2.0, 1.0, 0.5]] * 6)
    measured(store, "s-02", RATES, losses=losses)
    return tmp_path / "store", found


def run(verb, store, *arguments):
    result = CliRunner().invoke(verb.command, [*map(str, arguments), "--store", str(store)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def test_every_format_of_a_report_says_since_when(diverged, tmp_path):
    store, found = diverged
    run(report, store, "s-02", "--compare", "s-01", "--format", "html,md,tex,csv,json", "-o", tmp_path / "out")
    for suffix in ("html", "md", "tex", "csv", "json"):
        text = " ".join((tmp_path / f"out/s-02.{suffix}").read_text(encoding="utf-8").split())
        assert found in text, suffix
    json.loads((tmp_path / "out/s-02.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_why_names_it_and_the_learning_rate_and_no_augmentation(diverged):
    store, _ = diverged
    text = run(show, store, "s-02", "--why")
    assert "diverged: loss" in text
    assert "learning rate" in text
    assert "crop" not in text


def test_the_card_and_its_json_are_told(diverged):
    store, _ = diverged
    run(show, store, "s-02")
    json.loads(run(show, store, "s-02", "--json", "--why"), parse_constant=pytest.fail)
    run(show, store, "s-02.r00p00")


def test_it_is_compared_and_refused_with_the_reason(diverged):
    store, found = diverged
    document = json.loads(run(compare, store, "s-01", "s-02", "--json", "--fail-on", "slower,diverged"))
    assert document["decision"] == "undecided"
    assert found in " ".join(document["rows"][0]["reasons"])
    assert not document["comparable"]


def test_it_is_exported_with_missing_losses_and_the_reason(diverged, tmp_path):
    store, found = diverged
    run(export, store, "s-02", "--to", "csv,json", "-o", tmp_path / "out")
    json.loads((tmp_path / "out/json/s-02/s-02.json").read_text(), parse_constant=pytest.fail)
    epochs = (tmp_path / "out/csv/s-02/epochs.csv").read_text()
    assert "nan" not in epochs.lower()
    assert "inf" not in epochs.lower()
    assert found in (tmp_path / "out/csv/s-02/report.md").read_text()
