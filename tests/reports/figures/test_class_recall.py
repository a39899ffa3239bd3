from dataclasses import replace

from reports.text.fmt import MISSING
from tests.reports.figures.fabricated_charts import classes, texts


def test_a_class_that_was_never_called_is_in_the_table_with_a_dash_and_not_a_nought():
    (first, published), *others = classes().classes
    lost = replace(first, recall=None, precision=None, f1=None)
    chart = replace(classes(), classes=((lost, published), *others))
    assert chart.table().rows[0][:4] == ("plane", MISSING, MISSING, MISSING)
    assert "plane" not in texts(chart)
