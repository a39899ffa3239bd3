from reports.figures.throughput import Throughput
from tests.reports import fabricated_studies as studies
from tests.reports.page import fabricated_reports as reports


def test_a_row_that_is_invalid_has_no_bar_and_its_reason_stands_beside_the_others():
    chart = Throughput.select(reports.whole(studies.failed_rank()))
    assert "ddp on 3 ranks" not in [each.label for each in chart.bars]
    assert any(each.startswith("ddp on 3 ranks: INVALID") for each in chart.absent)
    assert all(each.launches for each in chart.bars), "every launch is a dot"


def test_the_table_says_the_verdict_of_each_row():
    chart = Throughput.select(reports.whole(studies.good()))
    assert chart.table().headers[-1] == "note"
    assert {row[-1] for row in chart.table().rows} == {each.note or "\N{EN DASH}" for each in chart.bars}
