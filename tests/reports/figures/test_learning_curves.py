from reports.figures.svg.files import drawn
from tests.reports.figures.fabricated_charts import learning


def test_learning_is_drawn_against_samples_and_against_seconds():
    with drawn(learning(curves=2)) as figure:
        assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "million samples", "seconds of training"]
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "", "accuracy", ""]
