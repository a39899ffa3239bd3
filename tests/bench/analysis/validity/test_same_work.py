"""One code or several: within a study, and between two."""

import json
from dataclasses import replace

import pytest

from bench.analysis.comparing import dna_effects
from bench.analysis.comparing.compare import compare
from bench.analysis.scaling import findings
from bench.analysis.validity import rules, same_work
from tests.bench.analysis.analysis_fakes import SINGLE, row, study
from tests.bench.analysis.comparing.operands import dna, side


def text(commit=None, *, dirty=None, differing=(), **files):
    named = {f"{name}.py": digest for name, digest in files.items()}
    return json.dumps({"files": named, "commit": commit, "dirty": dirty, "differing": list(differing)})


def with_sources(launches, *sources):
    return [replace(each, source=found) for each, found in zip(launches, sources, strict=True)]


def test_a_file_that_was_edited_within_a_study_makes_its_rows_invalid_and_is_named():
    plan, launches, steps = study({SINGLE: [1000.0, 1001.0, 1002.0]})
    launches = with_sources(launches, text(net="aa"), text(net="bb"), text(net="bb"))
    found = row(findings.analyse(plan, launches, steps, []), SINGLE)
    assert found.verdict.word == "INVALID"
    assert any("file net.py changed between round 1 and round 2" in each for each in found.verdict.reasons)


def test_a_helper_that_was_edited_long_after_and_put_back_is_seen_both_times():
    _, launches, _ = study({SINGLE: [1000.0] * 4})
    launches = with_sources(
        launches,
        text(net="a", helper="1"),
        text(net="a"),  # does not import it this time, which is no change
        text(net="a", helper="2"),
        text(net="a", helper="1"),
    )
    assert list(same_work.changes(launches)) == [
        "helper.py changed between round 1 and round 3",
        "helper.py changed between round 3 and round 4",
    ]


def test_launches_that_do_not_tell_their_files_contradict_nothing():
    _, launches, _ = study({SINGLE: [1000.0] * 3})
    assert list(same_work.changes(with_sources(launches, None, text(net="a"), None))) == []


def test_ranks_that_loaded_different_files_are_no_one_training():
    _, launches, _ = study({SINGLE: [1000.0]})
    launch = replace(launches[0], source=text(net="a", differing=["net.py"]))
    found = [each for each in rules.launch_findings(launch, None) if "net.py" in each.text]
    assert [each.severity for each in found] == [rules.INVALID]


@pytest.mark.parametrize(
    ("mine", "theirs", "named"),
    [
        (text(net="a"), text(net="b"), "net.py"),
        (text(net="a", helper="1"), text(net="a", helper="2"), "helper.py"),
        (text(net="a"), text(net="a", patch="1"), "patch.py"),
        (text(net="a"), text(), "net.py"),
    ],
)
def test_two_studies_of_other_files_are_not_comparable_and_say_which(mine, theirs, named):
    a, b = (side(name=name, launches_changed={"source": given}) for name, given in (("A", mine), ("B", theirs)))
    found = compare(a, b, 0.02)
    assert not found.comparable
    (obstacle,) = found.obstacles
    assert obstacle.startswith(f"source of the model differs ({named})")
    assert [each.effect for each in found.dna if each.field == f"source.{named}"] == ["numbers"]


def test_who_asks_for_it_compares_two_codes_and_is_told_so():
    a, b = (side(name=name, launches_changed={"source": text(net=name)}) for name in "AB")
    found = compare(a, b, 0.02, other_source=True)
    assert found.comparable
    assert any("may be the code's" in note for note in found.notes)


def test_a_study_of_a_version_that_told_no_files_is_compared_as_before():
    a, b = side(name="A"), side(name="B", launches_changed={"source": text(net="a")})
    assert compare(a, b, 0.02).comparable


def test_another_commit_of_the_same_files_is_told_and_hinders_nothing():
    a, b = (
        side(name=name, launches_changed={"source": text(commit, dirty=False, net="a")})
        for name, commit in (("A", "a" * 40), ("B", "b" * 40))
    )
    found = compare(a, b, 0.02)
    assert found.comparable
    assert [(each.field, each.effect) for each in found.dna] == [("commit.revision", "cosmetic")]


def test_a_variable_that_was_not_the_same_in_all_launches_makes_the_rows_invalid_and_is_named():
    plan, launches, steps = study({SINGLE: [1000.0, 1001.0, 1002.0]})
    lines = [{"NCCL_ALGO": "Ring"}, {"NCCL_ALGO": "Ring", "MALLOC_CONF": "x"}, {}]
    rows = [dna(each, software={"torch": "2", "variables": its}) for each, its in zip(launches, lines, strict=True)]
    changed = dna_effects.changed_variables(rows)
    assert changed == ("MALLOC_CONF: not set / x", "NCCL_ALGO: Ring / not set")
    found = row(findings.analyse(plan, launches, steps, [], variables=changed), SINGLE)
    assert found.verdict.word == "INVALID"
    assert any("a variable changed in the study (NCCL_ALGO" in each for each in found.verdict.reasons)


def test_launches_of_a_version_that_told_no_variables_did_not_change_them():
    _, launches, _ = study({SINGLE: [1000.0, 1001.0]})
    rows = [dna(launches[0]), dna(launches[1], software={"variables": {"NCCL_ALGO": "Ring"}})]
    assert dna_effects.changed_variables(rows) == ()
