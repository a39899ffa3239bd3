from reports.figures.confusion import LISTED_CELLS
from reports.figures.svg.files import inline
from reports.text.fmt import MISSING
from tests.reports.figures.fabricated_charts import shares


def test_a_matrix_of_a_hundred_classes_is_small_and_lists_its_largest_cells():
    chart = shares(names=tuple(f"class {n}" for n in range(100)))
    assert len(inline(chart)) < 30_000
    shown = chart.table()
    assert shown.headers == ("is", "called", "share")
    assert len(shown.rows) == LISTED_CELLS


def test_shares_of_a_row_without_samples_are_missing_and_not_nought():
    chart = shares(names=("a", "b"), counts=((0, 0), (1, 3)))
    assert chart.table().rows == (("a", MISSING, MISSING), ("b", "25.0\u202f%", "75.0\u202f%"))
