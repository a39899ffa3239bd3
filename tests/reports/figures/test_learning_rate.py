from dataclasses import replace

from reports.figures.learning_rate import LearningRate
from tests.reports.page import fabricated_reports as reports


def scheduled(*factors):
    """The demo's rows, the rate of each falling to this share with each epoch."""
    report = reports.trained()
    return replace(
        report,
        learned=tuple(
            replace(
                each,
                points=tuple(
                    replace(point, learning_rate=0.1 * factor**number) for number, point in enumerate(each.points)
                ),
            )
            for each, factor in zip(report.learned, factors, strict=False)
        ),
    )


def test_rows_that_share_a_schedule_are_one_line_with_both_names():
    chart = LearningRate.select(scheduled(0.5, 0.5))
    ((label, schedule),) = chart.lines
    assert " and " in label
    assert [epoch for epoch, _ in schedule] == list(range(1, 9))
    assert "from 0.1 to 0.0007813 over 8 epochs, at most 0.1." in chart.alt_text()


def test_rows_of_different_schedules_are_lines_of_their_own():
    assert len(LearningRate.select(scheduled(0.5, 0.9)).lines) == 2


def test_a_rate_that_never_changes_is_a_sentence_and_no_chart():
    assert LearningRate.select(reports.trained()) == "Constant at 0.05 in every epoch of every row."
