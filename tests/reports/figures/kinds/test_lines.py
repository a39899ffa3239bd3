import re

import pytest

from reports.figures.kinds.lines import Line, Point
from reports.figures.svg.files import drawn
from tests.reports.figures.fabricated_charts import SVG, efficiency, estimate, parsed, scaling_line, speedup, svg


def test_a_point_without_an_interval_has_none():
    points = tuple(Point(resources=n, estimate=estimate(0.9 * n, n=1)) for n in (1, 2))
    chart = speedup(lines=(Line(label="ddp", points=points),))
    with drawn(chart) as figure:
        assert not figure.axes[0].collections, "neither band nor stroke"
    assert "n = 1" in chart.alt_text()


@pytest.mark.parametrize("chart", [speedup(), efficiency()], ids=lambda chart: chart.key)
def test_every_dot_says_which_launch_it_is_and_so_does_the_table(chart):
    root = parsed(svg(chart))
    dots = [path for path in root.iter(f"{SVG}path") if (path.findtext(f"{SVG}title") or "").startswith("r0")]
    launches = [name for line in chart.lines for point in line.points for name, _ in point.launches]
    assert sorted(path.findtext(f"{SVG}title").split()[0] for path in dots) == sorted(launches)
    assert all(re.fullmatch(r"M[\d.]+ [\d.]+h0", path.get("d")) for path in dots)
    widths = {each.get("stroke-width") for each in root.iter() if each.get("stroke-linecap") == "round"}
    assert widths == {"3"}  # a dot whose diameter is no number is drawn by nobody
    shown = chart.table()
    assert shown.headers[-1] == "launches"
    assert all(f"{name} " in " ".join(row[-1] for row in shown.rows) for name in launches)


def test_very_many_launches_stay_one_path_and_have_no_names():
    chart = speedup(lines=(scaling_line("ddp", (1, 2, 4, 8), 0.95, n=30),))
    assert "r00p01" not in svg(chart)
    assert "launches" not in chart.table().headers
