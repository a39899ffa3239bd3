"""`bench compare`: what may be named, what is printed, and when a gate fails."""

import json
import shutil
from dataclasses import asdict

import pytest
from click.testing import CliRunner

from bench.analysis.comparing.nouns import Estimate, FalseAlarms
from bench.cli import group
from bench.errors import GATE, UsageError
from bench.store.commit import Store
from bench.verbs.compare import command
from tests.bench.verbs.measured_stores import measured

SIX = (1000.0, 1004.0, 996.0, 1002.0, 998.0, 1001.0)


def times(factor):
    return [factor * rate for rate in SIX[1:] + SIX[:1]]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """Two stores: in the first a study, its slower successor and one of other work; in the second another machine's."""
    folder = tmp_path_factory.mktemp("compared")
    first, second = Store.open(folder / "lab-a"), Store.open(folder / "lab-b")
    measured(first, "s-01", SIX)
    measured(first, "s-02", times(0.9), torch="2.16.0")
    measured(first, "s-03", SIX[:3], precision="bf16")
    measured(second, "t-04", times(1.0), hw_id="other")
    measured(second, "t-05", SIX[:5], precision="bf16", hw_id="other")
    return folder


def run(*arguments):
    return CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)


@pytest.fixture
def compare(made_once, monkeypatch):
    """Compare in the folder of the two stores, of which the first is the user's own."""
    monkeypatch.chdir(made_once)
    monkeypatch.setenv("BENCH_STORE", "lab-a")
    return run


def test_two_studies_fingerprints_first_then_the_verdict(compare):
    text = compare("s-01", "s-02").stdout
    assert text.index("software.torch: 2.15.0 in A, 2.16.0 in B") < text.index("SLOWER") < text.index("Verdict")
    assert "0.9" in text


def test_the_json_is_one_document_of_the_contract(compare):
    document = json.loads(compare("s-01", "s-02", "--json").stdout)
    assert (document["schema"], document["comparable"], document["exit"]) == ("bench.comparison/1", True, 0)
    speed = document["rows"][0]
    assert (speed["metric"], speed["verdict"]) == ("throughput", "SLOWER")
    assert speed["ratio"]["estimate"] == pytest.approx(0.9, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("s-01", "s-02", "--fail-on", "slower"), GATE),
        (("s-01", "s-02", "--fail-on", "slower", "--threshold", "20%"), None),
        (("s-02", "s-01", "--fail-on", "slower,diverged"), None),
        (("s-01", "s-02"), None),
        (("s-01", "s-03", "--fail-on", "slower"), None),
        (("s-01", "s-03", "--fail-on", "slower,invalid"), GATE),
    ],
)
def test_a_gate_fails_where_the_interval_and_the_threshold_agree(compare, arguments, code):
    result = compare(*arguments)
    assert (result.return_value or None) == code
    assert ("gate failed" in result.stderr) == (code is not None)


def test_a_gate_that_could_look_at_nothing_is_undecided_and_says_what_differs(compare):
    result = compare("s-01", "s-03", "--fail-on", "slower")
    assert "gate undecided: slower: not comparable (precision: fp32 against bf16)" in result.stderr
    assert "--undecided fail makes it one (exit 4)" in result.stderr


@pytest.mark.parametrize(("more", "code"), [((), 0), (("--undecided", "pass"), 0), (("--undecided", "fail"), GATE)])
def test_too_few_launches_are_undecided_and_say_how_many_more(compare, more, code):
    result = compare("s-01.r00p00", "s-02.r00p00", "--fail-on", "slower", "--json", *more)
    document = json.loads(result.stdout)
    speed = document["rows"][0]
    assert (result.return_value, document["exit"], document["decision"]) == (code, code, "undecided")
    assert (speed["verdict"], speed["more_launches"]) == ("INCONCLUSIVE", 4)
    assert "gate undecided: slower: throughput of single-cpu-1x1" in result.stderr


@pytest.mark.parametrize(
    ("b", "decision"), [(("s-02",), "fail"), (("s-02", "--threshold", "20%"), "pass"), (("s-03",), "undecided")]
)
def test_the_decision_stands_in_the_json(compare, b, decision):
    document = json.loads(compare("s-01", *b, "--fail-on", "slower", "--json").stdout)
    assert document["decision"] == decision
    assert {each["decision"] for each in document["gates"]} == {decision}
    assert bool(document["failed"]) == (decision == "fail")


def test_without_a_gate_there_is_no_decision(compare):
    result = compare("s-01", "s-02", "--json")
    assert json.loads(result.stdout)["decision"] is None
    assert result.stderr == ""


def test_two_stores_have_one_decision_over_all_their_works(compare):
    document = json.loads(compare("lab-a", "lab-b", "--fail-on", "slower", "--json").stdout)
    assert {each["a"]["study"]: each["decision"] for each in document["comparisons"]} == {
        "s-02": "pass",
        "s-03": "undecided",
    }
    assert document["decision"] == "undecided"


def test_two_stores_are_compared_work_by_work(compare):
    document = json.loads(compare("lab-a", "lab-b", "--json").stdout)
    assert document["schema"] == "bench.comparisons/1"
    pairs = {(each["a"]["study"], each["b"]["study"]) for each in document["comparisons"]}
    assert pairs == {("s-02", "t-04"), ("s-03", "t-05")}


def test_a_study_against_a_store_takes_the_newest_of_the_same_work(compare):
    document = json.loads(compare("s-01", "lab-b", "--json").stdout)
    assert document["b"]["study"] == "t-04"
    assert document["same_machine"] is False
    assert document["rows"][0]["verdict"] == "EQUIVALENT"


def test_a_study_of_another_store_is_named_with_two_colons(compare):
    document = json.loads(compare("s-01", "lab-b::@-2", "--json").stdout)
    assert document["b"]["study"] == "t-04"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("s-01",), "two things or more"),
        (("s-01", "s-01"), "are one study"),
        (("s-01", "s-01.r00p00"), "are one study"),
        (("s-01", "zebra"), "no study 'zebra'"),
        (("s-01", "./zebra"), "there is no store at zebra"),
        (("s-01", "zebra::@last"), "there is no store at zebra"),
        (("s-01/ddp", "s-02"), "is no row of s-01"),
        (("s-01", "s-02", "--fail-on", "sluggish"), "no gate 'sluggish'"),
        (("s-01", "s-02", "--threshold", "many"), "is not a share"),
        (("s-01", "s-02", "--threshold", "500%"), "is not a share"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(compare, arguments, found):
    with pytest.raises(UsageError, match=found):
        compare(*arguments)


@pytest.mark.parametrize(
    ("things", "found"),
    [
        (("s-01", "s-09"), "B, s-09, was not found: no study 's-09'"),
        (("nothing", "s-01"), "A, nothing, was not found"),
        (("s-01", "lab-c"), "B, lab-c, was not found"),
        (("s-01", "s-02", "s-03", "lab-a::s-7"), "lab-a::s-7 was not found"),
    ],
)
def test_the_side_that_was_not_found_is_named(compare, things, found):
    with pytest.raises(UsageError, match=found):
        compare(*things)


def test_what_was_not_found_gets_ids_and_folders_that_come_close(compare):
    with pytest.raises(UsageError) as wrong:
        compare("s-01", "lab-c")
    assert "lab-a" in wrong.value.hint
    with pytest.raises(UsageError) as wrong:
        compare("s-1", "s-02")
    assert "s-01" in wrong.value.hint


def test_without_a_store_of_its_own_the_side_is_named_and_not_the_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store.open("here")
    measured(store, "s-01", SIX)
    with pytest.raises(UsageError, match="B, hre, was not found: it is no folder with a store") as wrong:
        run("here", "hre")
    assert wrong.value.hint == "did you mean here?"


def test_a_calibration_in_the_store_softens_a_verdict(made_once, tmp_path, monkeypatch):
    from bench.analysis.comparing.comparable import workload_key
    from bench.analysis.comparing.nouns import Calibration
    from bench.store import index

    folder = shutil.copytree(made_once, tmp_path / "compared")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BENCH_STORE", "lab-a")
    wide = Estimate(estimate=0.2, low=0.1, high=0.3, n=24, method="")
    known = Calibration(
        study_id="s-01",
        created_at="2026-11-22T08:01:00+00:00",
        hw_id="hw",
        workload=workload_key(index.plan(folder / "lab-a", "s-01").workload),
        configuration="single-cpu-1x1",
        device="cpu",
        launches=24,
        cv=wide,
        within_pairs=wide,
        drift=wide,
        disjoint=FalseAlarms(alarms=0, comparisons=2),
        halves=FalseAlarms(alarms=0, comparisons=0),
        launches_per_side=6,
        margin=0.02,
    )
    file = folder / "lab-a" / "studies" / "s-01" / "calibration.json"
    file.write_text(json.dumps(asdict(known)))
    speed = json.loads(run("s-01", "s-02", "--json", "--fail-on", "slower").stdout)["rows"][0]
    assert speed["verdict"] == "INCONCLUSIVE"
    assert any("this machine's own spread" in reason for reason in speed["reasons"])
    file.write_text("{")
    torn = run("s-01", "s-02", "--json")
    assert "calibration.json is left out" in torn.stderr
    assert json.loads(torn.stdout)["rows"][0]["verdict"] == "SLOWER"


def test_accuracy_is_gathered_over_the_seeds_that_each_store_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, level in (("a", 0.90), ("b", 0.85)):
        store = Store.open(name)
        for seed in range(5):
            measured(store, f"{name}-0{seed}", SIX[:1], top1=level + 0.001 * seed, seed=seed)
        measured(store, f"{name}-07", SIX[:1], top1=0.2, seed=9, hw_id="elsewhere")
    result = run("a::a-04", "b::b-04", "--json", "--fail-on", "diverged")
    rows = {row["metric"]: row for row in json.loads(result.stdout)["rows"]}
    assert rows["accuracy"]["verdict"] == "DIVERGED"
    assert rows["accuracy"]["difference"]["n"] == 5
    assert rows["accuracy"]["difference"]["estimate"] == pytest.approx(-0.05)
    assert rows["accuracy"]["ratio"] is None
    assert result.return_value == GATE


def test_many_machines_name_the_slow_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place, factor in enumerate((1.0, 1.001, 0.95, 0.999, 1.0005)):
        measured(Store.open(f"node{place}"), f"n-0{place}", [factor * rate for rate in SIX[:3]], hw_id=f"hw{place}")
    names = [f"node{place}" for place in range(5)]
    result = CliRunner().invoke(command, [*names, "--fail-on", "slower"], catch_exceptions=False, standalone_mode=False)
    assert result.return_value == GATE
    assert "node2::n-02 is SLOWER" in result.stdout
    assert result.stderr.count("gate failed") == 1


def test_five_machines_with_one_slow_are_never_left_without_a_word(tmp_path, monkeypatch):
    """Machines that differ by a few percent of themselves: the test for outliers has no power over five of those."""
    monkeypatch.chdir(tmp_path)
    for place, factor in enumerate((1.0, 1.03, 0.97, 1.015, 0.87)):
        measured(Store.open(f"node{place}"), f"n-0{place}", [factor * rate for rate in SIX], hw_id=f"hw{place}")
    names = [f"node{place}" for place in range(5)]
    result = run(*names, "--fail-on", "slower")
    assert result.return_value == GATE
    assert "node4::n-04 is SLOWER" in result.stdout
    assert "with 5 machines of this spread an outlier is named beyond" in " ".join(result.stdout.split())
    document = json.loads(run(*names, "--json").stdout)
    row = document["rows"][0]
    assert row["could_name"] > 1.15
    assert all(each["verdict"] and each["reasons"] for each in row["machines"])
    assert [each["outlier"] for each in row["machines"]] == [None] * 5


def test_compare_and_calibrate_stand_in_the_table_of_contents():
    verbs = group.list_commands(None)
    assert verbs.index("report") < verbs.index("compare") < verbs.index("calibrate")
