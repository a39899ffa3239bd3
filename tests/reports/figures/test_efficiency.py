from reports.figures.kinds.lines import Line, Point
from reports.figures.svg.files import drawn
from tests.reports.figures.fabricated_charts import efficiency, estimate


def test_efficiency_starts_at_nothing_and_ends_at_110_unless_something_lies_beyond():
    with drawn(efficiency(counts=(1, 2))) as figure:
        assert figure.axes[0].get_ylim() == (0, 1.1)
    over = Line(label="ddp", points=(Point(resources=2, estimate=estimate(1.3)),))
    with drawn(efficiency(lines=(over,))) as figure:
        assert figure.axes[0].get_ylim()[1] > 1.3
