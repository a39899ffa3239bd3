"""The same data? Within a study a change is INVALID, between two it forbids a comparison; either says what differs."""

from dataclasses import replace

from bench.account import Account, LeftOut
from bench.analysis.comparing.compare import compare
from bench.analysis.result import INVALID
from bench.analysis.scaling import findings
from bench.analysis.validity import same_work
from tests.bench.analysis.analysis_fakes import SINGLE, configuration, study
from tests.bench.analysis.comparing.operands import side

ACCOUNT = Account(
    name="folder",
    found=3,
    taken=2,
    left_out=(LeftOut(kind="broken links", count=1, example="train/cat/9.png", fix="remove them"),),
    split="val/ is for validation",
    classes=("cat", "dog"),
    training=(40, 32),
    validation=(12, 12),
)
FEWER = replace(ACCOUNT, training=(40, 31))
ONE = {"data_hash": "one", "data_account": ACCOUNT.to_json()}
OTHER = {"data_hash": "other", "data_account": FEWER.to_json()}


def analysed(*changes):
    """A study of six rounds, whose launches have these in turn."""
    plan, launches, steps = study({SINGLE: [1000.0] * 6, configuration("ddp", 2): [1900.0] * 6})
    launches = [replace(each, **changes[each.round % len(changes)]) for each in launches]
    return findings.analyse(plan, launches, steps, [])


def test_data_that_changed_within_a_study_make_it_invalid_and_say_what_changed():
    found = analysed(ONE, ONE, ONE, ONE, ONE, OTHER)
    assert {row.verdict.word for row in found.rows if not row.is_baseline} == {INVALID}
    text = "the data changed between round 5 and round 6: training pictures of dog 32 against 31"
    assert all(any(text in reason for reason in row.reasons) for row in found.rows)


def test_data_that_stayed_or_were_never_told_contradict_nothing():
    for changes in ([ONE], [{}], [{}, ONE]):
        assert not any("the data changed" in reason for row in analysed(*changes).rows for reason in row.reasons)


def test_what_was_left_out_is_among_the_warnings_of_every_output():
    text = "data: left out broken links: 1, as train/cat/9.png: remove them"
    assert text in analysed(ONE).warnings
    assert not any("data:" in each for each in analysed({}).warnings)


def test_studies_of_other_data_are_not_comparable_and_say_in_what():
    found = compare(side(launches_changed=ONE), side(name="B", launches_changed=OTHER), 0.02)
    assert found.obstacles == ("the data differ: training pictures of dog 32 against 31",)
    assert found.rows == ()


def test_studies_of_the_same_data_elsewhere_are_comparable_and_so_are_those_that_do_not_tell():
    for theirs in (ONE, {}):
        there = side(name="B", launches_changed=theirs, workload={"data_dir": "/elsewhere"})
        assert compare(side(launches_changed=ONE), there, 0.02).obstacles == ()


def test_where_one_side_has_no_account_its_digest_still_tells():
    found = compare(side(launches_changed=ONE), side(name="B", launches_changed={"data_hash": "x"}), 0.02)
    assert found.obstacles == ("the data differ: other content",)
    assert same_work.account_of([]) is None
