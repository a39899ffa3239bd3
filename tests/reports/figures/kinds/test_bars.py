from dataclasses import replace

import pytest

from reports.figures.svg.files import drawn
from tests.reports.figures.fabricated_charts import bars, classes, limits, step_parts, texts


@pytest.mark.parametrize("chart", [step_parts(), bars(), classes(), limits()], ids=lambda chart: chart.key)
def test_bars_start_at_nothing(chart):
    with drawn(chart) as figure:
        assert figure.axes[0].get_xlim()[0] == 0
        assert len(figure.axes) == 1, "no second axis"


def test_a_long_label_of_a_bar_keeps_its_end():
    labels = ("ddp on 2 ranks over 2 nodes with 4 cores", "ddp on 2 ranks over 2 nodes with 8 cores")
    made = bars()
    found = tuple(replace(bar, label=label) for bar, label in zip(made.bars, labels, strict=False))
    said = texts(replace(made, bars=found))
    assert sum(each.startswith("ddp on 2") and each.endswith("4 cores") for each in said) == 1
    assert sum(each.startswith("ddp on 2") and each.endswith("8 cores") for each in said) == 1
