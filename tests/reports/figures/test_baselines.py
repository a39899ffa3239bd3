from reports.figures.baselines import Baselines
from tests.reports import fabricated_studies as studies
from tests.reports.page import fabricated_reports as reports


def test_a_study_whose_baseline_has_no_number_is_named_and_has_no_bar():
    both = reports.several(reports.whole(studies.good()), reports.whole(studies.missing_baseline()))
    chart = Baselines.together(both)
    assert [each.label for each in chart.bars] == ["1. lenet-large"]
    assert chart.absent == ("2. lenet-large: its baseline has no number",)


def test_without_any_baseline_there_is_no_chart_of_them():
    assert Baselines.together(reports.several(*[reports.whole(studies.missing_baseline())] * 2)) == ""
