"""From rows of a store to a report: every launch with its own rate and ratio, and nothing that is not there."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import study_report
from bench.analysis.study_report import Stored
from bench.plan import Workload
from bench.store.schema import Dna
from tests.bench.analysis.analysis_fakes import DDP2, DDP4, SINGLE, changed, epoch, study

RATES = {SINGLE: [100.0, 110.0, 90.0], DDP2: [190.0, 200.0, 185.0]}


def stored(rates=None, *, damaged=(), dna=(), epochs=(), happens=lambda launches: launches, **plan):
    its, launches, timed = study(rates or RATES, **plan)
    return Stored(
        plan=its,
        launches=happens(launches),
        steps=timed,
        epochs=epochs,
        classes=(),
        dna=dna,
        damaged=damaged,
    )


def ratios(found, configuration):
    return [each.speedup for each in found.launches if each.configuration == configuration.key]


def dna(launch, **identity):
    return Dna(
        study_id=launch.study_id,
        launch_id=launch.launch_id,
        hw_id=launch.hw_id,
        sw_id=launch.sw_id,
        identity=json.dumps(identity),
        conditions="{}",
        software="{}",
        unavailable="{}",
    )


def test_every_launch_is_told_once_in_the_order_in_which_it_ran():
    given_ = stored()
    report = study_report.of_stored(replace(given_, launches=given_.launches[::-1]))
    assert [each.launch_id for each in report.launches] == [each.launch_id for each in given_.plan.launches]


def test_a_launch_has_its_own_rate_and_the_ratio_to_the_baseline_of_its_round():
    report = study_report.of_stored(stored())
    assert [each.rate_sps for each in report.launches if each.configuration == DDP2.key] == pytest.approx(RATES[DDP2])
    assert ratios(report, DDP2) == pytest.approx([1.9, 200 / 110, 185 / 90])
    assert ratios(report, SINGLE) == [1, 1, 1]


rates = st.lists(st.one_of(st.none(), st.floats(10, 1000)), min_size=3, max_size=3)


@given(base=rates, pair=rates)
def test_launches_and_rows_agree_on_what_there_is(base, pair):
    """The geometric mean of the launches' ratios is the row's speedup; where that is None, no launch has one."""
    report = study_report.of_stored(stored({SINGLE: base, DDP2: pair}))
    for row in report.study.rows:
        mine = [each for each in report.launches if each.configuration == row.key]
        assert len(mine) == 3
        assert sorted(each.rate_sps for each in mine if each.rate_sps is not None) == sorted(row.rates)
        found = [each.speedup for each in mine if each.speedup is not None]
        if row.speedup is None:
            assert found == []
        elif not row.is_baseline:
            product = 1.0
            for each in found:
                product *= each
            assert len(found) == row.speedup.n
            assert product ** (1 / len(found)) == pytest.approx(row.speedup.estimate)


def test_a_launch_whose_baseline_crashed_in_its_round_has_a_rate_and_no_ratio():
    report = study_report.of_stored(stored({SINGLE: [100.0, None, 90.0, 95.0], DDP2: [190.0] * 4}))
    assert ratios(report, DDP2) == pytest.approx([1.9, None, 190 / 90, 2.0])
    assert [each.status for each in report.launches if each.configuration == SINGLE.key][1] == "crash"
    assert next(each.reason for each in report.launches if each.status == "crash") == "RuntimeError: boom"


def test_no_launch_of_an_invalid_row_has_a_ratio_and_none_at_all_without_a_sound_baseline():
    report = study_report.of_stored(stored(happens=lambda launches: changed(launches, DDP2, closure_error=0.2)))
    assert ratios(report, DDP2) == [None] * 3
    assert ratios(report, SINGLE) == [1, 1, 1]
    report = study_report.of_stored(stored(happens=lambda launches: changed(launches, SINGLE, closure_error=0.2)))
    assert ratios(report, DDP2) == ratios(report, SINGLE) == [None] * 3
    assert all(each.rate_sps for each in report.launches)


def test_a_launch_tells_the_method_that_measured_it():
    report = study_report.of_stored(stored(happens=lambda launches: changed(launches, DDP2, method_version=7)))
    assert {each.method_version for each in report.launches if each.configuration == DDP2.key} == {7}
    assert {each.speedup for each in report.launches} == {None}


def test_damaged_files_are_the_first_warnings_each_once():
    found = study_report.analyse(stored(damaged=("a.parquet is torn", "a.parquet is torn", "b.parquet is torn")))
    assert found.warnings[:2] == (
        "a.parquet is torn: its numbers are left out",
        "b.parquet is torn: its numbers are left out",
    )


def test_facts_are_texts_and_what_is_not_known_is_absent():
    facts = study_report.of_stored(stored()).facts
    assert (facts["model"], facts["data"], facts["seed"], facts["rounds"]) == ("lenet", "digits", "0", "3")
    assert all(isinstance(value, str) and value not in {"", "None", "nan"} for value in facts.values())
    assert not {"input", "augmentation", "model options", "operations per sample"} & facts.keys()


def test_facts_tell_every_seed_and_the_options_that_were_given():
    workload = Workload(
        model="lenet", data="digits", steps=40, model_options={"dropout": 0.5}, augment=("crop", "flip")
    )
    facts = study_report.of_stored(stored(workload=workload, seeds=(1, 2, 3))).facts
    assert facts["seed"] == "1, 2, 3"
    assert facts["model options"] == '{"dropout": 0.5}'
    assert facts["augmentation"] == "crop, flip"


@pytest.mark.parametrize("count", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_no_fact(count):
    report = study_report.of_stored(stored(happens=lambda launches: changed(launches, SINGLE, flop_per_sample=count)))
    assert "operations per sample" not in report.facts


def test_nothing_run_is_a_report_all_the_same():
    report = study_report.of_stored(replace(stored(), launches=(), steps={}))
    assert report.launches == report.traces == report.learned == report.cards == ()
    assert [row.status for row in report.study.rows] == ["not_run", "not_run"]


def test_several_studies_keep_their_order_and_the_first_two_machines_are_held_against_each_other():
    first, second = stored(), stored()
    first = replace(first, dna=[dna(first.launches[0], cpu_cores=2)])
    second = replace(second, dna=[dna(second.launches[0], cpu_cores=4)])
    report = study_report.combine([first, second], title="Two")
    assert (report.title, len(report.studies)) == ("Two", 2)
    (difference,) = report.differences
    assert (difference.field, difference.a, difference.b) == ("identity.cpu_cores", "2", "4")
    assert study_report.combine([first]).differences == ()


def test_a_report_is_the_same_however_the_rows_were_read():
    given_ = stored({SINGLE: [100.0] * 3, DDP2: [190.0] * 3, DDP4: [350.0] * 3})
    lines = [epoch(each.launch_id, number) for each in given_.launches for number in range(2)]
    whole = replace(given_, epochs=lines, dna=[dna(each, cpu_cores=2) for each in given_.launches])
    turned = replace(whole, launches=whole.launches[::-1], epochs=lines[::-1])
    assert study_report.of_stored(whole).launches == study_report.of_stored(turned).launches
    assert study_report.of_stored(whole).learned == study_report.of_stored(turned).learned
    assert study_report.of_stored(whole).study.rows == study_report.of_stored(turned).study.rows
