"""The verdict in plain words, for every word there is."""

from dataclasses import replace

import pytest

from reports.scaling.sentence import sentence
from reports.text import fmt
from tests.reports import fabricated_studies as studies


def sentence_of(study) -> str:
    return sentence(study).replace(fmt.NARROW, " ")


def with_verdict(**verdict):
    """The good study, cut down to the baseline and ddp on 2 ranks with this verdict."""
    base, two = studies.good().rows[0], studies.good().rows[3]
    return replace(studies.good(), rows=(base, replace(two, verdict=studies.verdict(**verdict))))


def test_faster_names_the_row_the_ratio_its_interval_the_rate_and_the_efficiency():
    assert sentence_of(with_verdict(word="FASTER", beyond_margin=True)) == (
        "ddp on 2 ranks gives 1.729x [1.714, 1.744] the 1 303.1 samples/s of one rank, 86.45 % efficient; FASTER."
    )


@pytest.mark.parametrize("word", ["FASTER", "SLOWER"])
def test_a_difference_that_may_be_within_the_margin_says_so(word):
    assert sentence_of(with_verdict(word=word)).endswith(f"; {word}, though perhaps by less than the margin of 2 %.")


def test_equivalent_says_within_what():
    assert sentence_of(with_verdict(word="EQUIVALENT")).endswith("; EQUIVALENT: the same within 2 %.")


def test_inconclusive_says_what_could_have_been_seen_and_what_it_would_take():
    assert sentence_of(with_verdict(word="INCONCLUSIVE", detectable=1.041, rounds=22)).endswith(
        "; INCONCLUSIVE: 6 rounds could only have shown a difference of 4.1 % or more; "
        "about 22 rounds would show one of 2 %."
    )


def test_inconclusive_without_either_is_just_the_word():
    assert sentence_of(with_verdict(word="INCONCLUSIVE", detectable=None)).endswith("; INCONCLUSIVE.")


def test_inconclusive_with_only_the_rounds():
    assert sentence_of(with_verdict(word="INCONCLUSIVE", detectable=None, rounds=9)).endswith(
        "; INCONCLUSIVE: 9 rounds would show a difference of 2 %."
    )


def test_invalid_gives_the_reason_and_no_ratio():
    base, two = studies.good().rows[0], studies.good().rows[3]
    refused = studies.verdict("INVALID", "the loss became NaN in launch r02p01.")
    study = replace(studies.good(), rows=(base, replace(two, verdict=refused, speedup=None, efficiency=None)))
    assert sentence_of(study) == "ddp on 2 ranks ran, but the result is INVALID: the loss became NaN in launch r02p01."


def test_an_invalid_row_does_not_hide_the_one_that_came_out():
    text = sentence_of(studies.undecided())
    assert text.startswith("ddp on 3 ranks ran, but the result is INVALID")
    assert "ddp on 2 ranks gives 2.06" in text


def test_quick_gives_estimates_and_asks_for_more():
    text = sentence_of(studies.quick())
    assert text.endswith("Estimates only: 3 rounds are too few for a verdict; six can give one: --rounds 6.")
    assert "1.731x" in text
    assert not [word for word in ("FASTER", "SLOWER", "EQUIVALENT", "INCONCLUSIVE") if word in text]


def test_one_round_is_too_few_in_good_english():
    assert "1 round is too few" in sentence_of(studies.study(*studies.good().rows, quick=True, rounds=1))


def test_without_a_baseline_there_is_a_rate_and_no_ratio():
    text = sentence_of(studies.missing_baseline())
    assert text == (
        "ddp on 2 ranks trains 2 253 samples/s [2 234, 2 273], with no speedup to give: "
        "the baseline has no number. 1 of 2 rows has no number."
    )


def test_a_study_that_never_had_a_baseline_says_so():
    study = studies.study(studies.measured("ddp", 2, studies.DDP2_RATES))
    assert sentence_of(study).endswith("with no speedup to give: no baseline was run.")


def test_an_invalid_baseline_is_nothing_to_hold_a_row_against():
    bad = studies.baseline(speedup=None, efficiency=None, verdict=studies.verdict("INVALID", "the loss became NaN"))
    study = studies.study(bad, studies.measured("ddp", 2, studies.DDP2_RATES))
    assert sentence_of(study) == (
        "ddp on 2 ranks trains 2 253 samples/s [2 234, 2 273], with no speedup to give: "
        "the baseline, single, is INVALID."
    )


def test_the_rounds_of_an_inconclusive_row_are_those_it_was_judged_on():
    base, two = studies.good().rows[0], studies.good().rows[3]
    undecided = replace(
        two, speedup=replace(two.speedup, n=5), verdict=studies.verdict("INCONCLUSIVE", detectable=1.05)
    )
    assert "INCONCLUSIVE: 5 rounds could only" in sentence_of(replace(studies.good(), rows=(base, undecided)))


def test_a_study_of_one_row_gives_its_rate():
    assert sentence_of(studies.study(studies.baseline())) == "single trains 1 303.1 samples/s [1 298.3, 1 308.0]."


def test_one_process_with_all_the_cores_is_told_beside_the_ranks():
    assert sentence_of(studies.good()).endswith(" single with 2 cores gives 1.616x [1.602, 1.630].")


def test_a_suspect_row_is_called_so():
    base, two = studies.good().rows[0], studies.good().rows[3]
    study = replace(studies.good(), rows=(base, replace(two, status="suspect", reasons=("the device was throttled",))))
    assert sentence_of(study).endswith(" ddp on 2 ranks is suspect: quote it only with its reasons.")


def test_rows_without_a_number_are_counted():
    assert sentence_of(studies.failed_rank()).endswith("2 of 4 rows have no number.")


def test_when_no_row_can_run_the_reason_is_given_once():
    assert sentence_of(studies.nothing_runs()) == "No row can run on this machine: this machine has no CUDA device."


def test_when_every_row_failed_it_is_not_called_the_machines_fault():
    failed = studies.row("ddp", 2, status="hang", reasons=("no step for 60 s",))
    assert sentence_of(studies.study(failed)) == "No row gave a number: no step for 60 s."
    waiting = studies.row("ddp", 2, status="not_run", reasons=())
    assert sentence_of(studies.study(waiting)) == "No row was run."


@pytest.mark.parametrize("made", studies.ALL.values(), ids=studies.ALL)
def test_no_ratio_stands_without_the_absolute_rate_it_multiplies(made):
    study = made()
    text = sentence_of(study)
    if "x [" in text:
        assert f"{fmt.point(study.baseline.throughput)} samples/s of one rank".replace(fmt.NARROW, " ") in text


def test_a_row_alone_that_is_invalid_is_never_told_as_a_rate():
    """The page of a real training once opened with the rate of a run without a steady state."""
    invalid = studies.verdict("INVALID", "no steady state: in 2 of 3 launches the steps get slower: repeat")
    single = replace(studies.baseline(), verdict=invalid, speedup=None, efficiency=None, status="suspect")
    assert sentence_of(replace(studies.good(), rows=(single,), quick=True)) == (
        "single ran, but the result is INVALID: no steady state: in 2 of 3 launches the steps get slower: repeat."
    )


def test_more_rounds_are_not_asked_for_where_no_verdict_can_come_of_them():
    single = replace(studies.good(), rows=studies.good().rows[:1], quick=True)
    assert "Estimates only" not in sentence_of(single)
    assert "Estimates only" in sentence_of(replace(studies.good(), quick=True))
