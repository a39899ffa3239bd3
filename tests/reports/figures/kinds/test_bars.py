import pytest

from reports.figures.svg.canvas import drawn
from tests.reports.figures.fabricated_charts import bars, classes, limits, step_parts


@pytest.mark.parametrize("chart", [step_parts(), bars(), classes(), limits()], ids=lambda chart: chart.key)
def test_bars_start_at_nothing(chart):
    with drawn(chart) as figure:
        assert figure.axes[0].get_xlim()[0] == 0
        assert len(figure.axes) == 1, "no second axis"
