from reports import figures
from reports.figures.step_parts import StepPartsChart
from tests.reports import fabricated_studies as studies
from tests.reports.figures.fabricated_charts import step_parts
from tests.reports.page import fabricated_reports as reports


def test_a_part_has_the_same_column_in_every_row_and_the_whole_stands_last():
    shown = step_parts(rows=2).table()
    assert shown.headers[:3] == ("row", "data wait, ms", "forward, ms")
    assert shown.headers[-1] == "step p50, ms"
    assert [row[-1] for row in shown.rows] == ["52.0", "56.0"]


def test_a_row_without_timed_steps_is_named():
    (chart,) = figures.of_study("time", reports.whole(studies.failed_rank()), "-2")
    assert chart.key == "parts-2"
    assert any(each.startswith("ddp on 2 ranks: crash") for each in chart.absent)


def test_where_no_row_has_timed_steps_a_sentence_says_so():
    assert "No row has timed steps" in StepPartsChart.select(reports.whole(studies.nothing_runs()))
