from dataclasses import replace

from reports.figures.svg.files import drawn
from tests.reports.figures.fabricated_charts import step_time, svg, trace, traces


def test_a_thousand_launches_of_many_steps_make_a_chart_of_the_same_size_and_it_says_what_is_left_out():
    found = [trace(launch, count=1000) for launch in range(4)] * 20
    many = replace(step_time(), rows=tuple(traces(f"row {n}", found) for n in range(12)))
    assert len(svg(many)) < 30_000
    said = many.alt_text()
    assert f"at most {many.lines} launches are drawn as lines" in said
    assert f"medians of {many.stretches} stretches" in said
    assert len(many.table().rows) == 12, "a line for each row instead of 960"


def test_nothing_is_left_out_where_everything_fits():
    small = step_time(rows=1, launches=2, steps=100)
    assert "stretches" not in small.alt_text()
    assert "at most" not in small.alt_text()


def test_a_stall_stays_in_sight_and_flattens_nothing():
    with drawn(step_time(rows=1, launches=1, steps=300)) as figure:
        (panel,) = figure.axes
        assert panel.get_ylim()[1] < 1.6 * 49
        carets = [line for line in panel.lines if line.get_marker() == "^"]
        assert 150 in carets[0].get_xdata()


def test_a_launch_that_is_slow_as_a_whole_is_drawn_where_it_is():
    """Cut at one and a half times the median it was a flat line at the edge, as if it were steady there."""
    found = [trace(launch, count=200) for launch in range(3)]
    found[2] = replace(found[2], step_ms=tuple(2.5 * step for step in found[2].step_ms))
    with drawn(replace(step_time(), rows=(traces("ddp", found),))) as figure:
        (panel,) = figure.axes
        assert panel.get_ylim()[1] > max(sorted(found[2].step_ms)[: len(found[2].step_ms) // 2])
