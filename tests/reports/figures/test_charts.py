import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from reports.figures import data, thinning
from reports.figures.svg import inline
from reports.figures.svg.canvas import drawn
from reports.figures.svg.palette import INK, LIGHT
from reports.figures.telling import describe, table
from reports.text.fmt import MISSING
from tests.reports.figures.fabricated_charts import (
    EVERY_KIND,
    TWELVE_ROWS,
    bars,
    classes,
    confusion,
    efficiency,
    estimate,
    learning,
    limits,
    parsed,
    scaling_line,
    speedup,
    steadiness,
    step_parts,
)

SVG = "{http://www.w3.org/2000/svg}"
KINDS = pytest.mark.parametrize("chart", EVERY_KIND, ids=lambda chart: chart.key)
HOSTILE = r"a_b%&#$~^\ <script>alert('x')</script> " + "\N{GREEK SMALL LETTER ALPHA}"

svg = cache(inline.svg)


def texts(source):
    return [each.text for each in parsed(source).iter(f"{SVG}text")]


@KINDS
def test_every_chart_has_a_role_a_title_a_description_and_a_table(chart):
    root = parsed(svg(chart))
    assert root.attrib["role"] == "img"
    named = {each.get("id"): each.text for each in root.iter() if each.get("id")}
    title, told = root.attrib["aria-labelledby"].split()
    assert named[title] == chart.title
    assert named[told] == describe(chart)
    shown = table(chart)
    assert shown.rows
    assert all(len(row) == len(shown.headers) for row in shown.rows)
    assert all(isinstance(cell, str) and cell for row in shown.rows for cell in row)


@KINDS
def test_ids_begin_with_the_charts_key_and_every_reference_has_one(chart):
    root = parsed(svg(chart))
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    assert all(each.startswith(f"{chart.key}-") for each in ids)
    assert {each.get("href") for each in root.iter(f"{SVG}use")} <= {f"#{each}" for each in ids}


def test_charts_of_one_kind_share_no_id_in_one_page():
    one, other = svg(EVERY_KIND[0]), svg(replace(EVERY_KIND[0], key="another"))
    assert not set(re.findall(r'id="([^"]+)"', one)) & set(re.findall(r'id="([^"]+)"', other))


@KINDS
def test_colours_are_the_pages_own(chart):
    colours = {value for value in re.findall(r'(?:fill|stroke)="([^"]+)"', svg(chart)) if value != "none"}
    assert colours - {"currentColor"}, "marks have a series' colour"
    assert all(re.fullmatch(r"currentColor|var\(--series-[1-6],#[0-9a-f]{6}\)", each) for each in colours)
    assert INK not in svg(chart)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", svg(chart))


def test_a_chart_is_the_same_bytes_in_another_process_and_locale():
    program = (
        "import sys\nfrom tests.reports.figures import fabricated_charts\nfrom reports.figures.svg import inline\n"
        "sys.stdout.buffer.write(inline.svg(fabricated_charts.speedup()).encode())"
    )
    environment = {"LC_ALL": "de_DE.UTF-8", "PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, env=environment)
    assert found.stdout.decode() == svg(speedup())


def test_what_the_user_configured_for_matplotlib_changes_nothing():
    import matplotlib as mpl

    with mpl.rc_context({"axes.grid": True, "lines.linewidth": 9, "font.size": 30, "svg.fonttype": "path"}):
        assert inline.svg(speedup()) == svg(speedup())


def test_the_charts_of_a_study_of_twelve_rows_leave_room_for_its_page():
    sizes = {chart.key: len(svg(chart).encode()) for chart in TWELVE_ROWS}
    assert sum(sizes.values()) < 150_000, sizes
    assert max(sizes.values()) < 30_000, sizes


def test_a_thousand_launches_of_many_steps_make_a_chart_of_the_same_size_and_it_says_what_is_left_out():
    row = steadiness(rows=1, launches=4, steps=1000).rows[0]
    many = replace(
        steadiness(), rows=tuple(replace(row, label=f"row {n}", launches=row.launches * 20) for n in range(12))
    )
    assert len(svg(many)) < 30_000
    told = describe(many)
    assert f"at most {thinning.lines_of(many)} launches are drawn as lines" in told
    assert f"medians of {thinning.stretches_of(many)} stretches" in told
    assert len(table(many).rows) == 12, "a line a row instead of 960"


def test_nothing_is_left_out_where_everything_fits():
    small = steadiness(rows=1, launches=2, steps=100)
    assert "stretches" not in describe(small)
    assert "at most" not in describe(small)


@KINDS
def test_a_figure_is_laid_out_once_and_drawn_once(chart, monkeypatch):
    """Left to matplotlib, saving draws it once more for the layout's sake: half of the time of a report's charts."""
    called = []

    def counted(kind, name):
        real = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *given, **named: called.append(name) or real(*given, **named))

    counted(Figure, "draw")
    counted(ConstrainedLayoutEngine, "execute")
    inline.svg(chart)
    assert called == ["execute", "draw"]


def test_a_hostile_name_is_text_and_nothing_else():
    line = replace(scaling_line("x", (1, 2), 0.9), label=HOSTILE)
    found = inline.svg(speedup(lines=(line,), setup=HOSTILE, baseline=HOSTILE))
    assert "<script" not in found
    assert f"{HOSTILE}, n = 6" in texts(found)
    parsed(found)


def test_the_description_has_the_numbers():
    told = describe(speedup(counts=(1, 2, 4), lines=1))
    assert "ddp: speedup 1.000, 1.940 and 3.764 at 1, 2 and 4 ranks, n = 6." in told
    assert "Ideal at 4: 4." in told
    assert "1 is single: 1\u202f302 samples/s." in told or "1 is single: 1 302 samples/s." in told


def test_what_is_not_drawn_is_named_with_its_reason():
    assert describe(speedup(absent=("ddp on 8 ranks: crash",))).endswith("Not drawn: ddp on 8 ranks: crash.")


def test_more_than_six_lines_are_in_the_table_only_and_that_is_said():
    chart = speedup(counts=(1, 2), lines=8)
    assert "In the table only: c and d." in describe(chart)
    assert {row[0] for row in table(chart).rows} >= {"c", "d"}
    assert not {"c, n = 6", "d, n = 6"} & set(texts(inline.svg(chart)))


def test_axes_are_linear_to_16_and_logarithmic_beyond():
    for counts, scale in (((1, 2, 4, 8, 16), "linear"), ((1, 2, 4, 8, 16, 32), "log")):
        with drawn(speedup(counts=counts, lines=1)) as figure:
            (axes,) = figure.axes
            assert (axes.get_xscale(), axes.get_yscale()) == (scale, scale)


def test_the_ideal_line_and_the_envelope_end_where_the_measurements_end():
    envelope = data.Envelope(label="Amdahl", resources=(1.0, 2.0, 4.0), low=(1, 1.8, 3.4), high=(1, 1.9, 3.8))
    with drawn(speedup(counts=(1, 2, 4), lines=1, envelopes=(envelope,))) as figure:
        (axes,) = figure.axes
        farthest = max(max(line.get_xdata()) for line in axes.lines)
        assert farthest == 4
        assert axes.get_xlim()[1] < 4.2


def test_the_ideal_line_starts_from_the_baselines_resources():
    with drawn(speedup(counts=(2, 4, 8), lines=1, baseline_resources=2)) as figure:
        ideal = figure.axes[0].lines[0]
        assert list(ideal.get_ydata()) == [1, 2, 4]


def test_efficiency_starts_at_nothing_and_ends_at_110_unless_something_lies_beyond():
    with drawn(efficiency(counts=(1, 2))) as figure:
        assert figure.axes[0].get_ylim() == (0, 1.1)
    over = data.ScalingLine(label="ddp", points=(data.ScalingPoint(resources=2, estimate=estimate(1.3)),))
    with drawn(efficiency(lines=(over,))) as figure:
        assert figure.axes[0].get_ylim()[1] > 1.3


def test_a_point_without_an_interval_has_none():
    points = tuple(data.ScalingPoint(resources=n, estimate=estimate(0.9 * n, n=1)) for n in (1, 2))
    chart = speedup(lines=(data.ScalingLine(label="ddp", points=points),))
    with drawn(chart) as figure:
        assert not figure.axes[0].collections, "neither band nor stroke"
    assert "n = 1" in describe(chart)


@pytest.mark.parametrize("chart", [step_parts(), bars(), classes(), limits()], ids=lambda chart: chart.key)
def test_bars_start_at_nothing(chart):
    with drawn(chart) as figure:
        assert figure.axes[0].get_xlim()[0] == 0
        assert len(figure.axes) == 1, "no second axis"


def test_the_parts_of_a_step_have_to_be_the_step():
    with pytest.raises(ValueError, match=r"come to 3 ms, not to 5"):
        data.StepBar(label="x", total_ms=5, parts=(data.Part(name="a", ms=1), data.Part(name="b", ms=2)))
    with pytest.raises(ValueError, match="negative"):
        data.StepBar(label="x", total_ms=1, parts=(data.Part(name="a", ms=2), data.Part(name="b", ms=-1)))


def test_a_class_that_was_never_called_is_in_the_table_with_a_dash_and_not_a_nought():
    chart = classes()
    lost = replace(chart.classes[0], recall=None, precision=None, f1=None)
    chart = replace(chart, classes=(lost, *chart.classes[1:]))
    assert table(chart).rows[0][:4] == ("plane", MISSING, MISSING, MISSING)
    assert "plane" not in texts(inline.svg(chart))


def test_a_stall_stays_in_sight_and_flattens_nothing():
    with drawn(steadiness(rows=1, launches=1, steps=300)) as figure:
        (panel,) = figure.axes
        assert panel.get_ylim()[1] < 1.6 * 49
        carets = [line for line in panel.lines if line.get_marker() == "^"]
        assert 150 in carets[0].get_xdata()


def test_a_matrix_of_a_hundred_classes_is_small_and_lists_its_largest_cells():
    chart = confusion("many", names=tuple(f"class {n}" for n in range(100)), normalised=True)
    assert len(inline.svg(chart)) < 30_000
    shown = table(chart)
    assert shown.headers == ("is", "called", "share")
    assert len(shown.rows) == thinning.LISTED_CELLS


def test_shares_of_a_row_without_samples_are_missing_and_not_nought():
    chart = confusion(names=("a", "b"), counts=((0, 0), (1, 3)), normalised=True)
    assert table(chart).rows == (("a", MISSING, MISSING), ("b", "25.0\u202f%", "75.0\u202f%"))


def test_learning_is_drawn_against_samples_and_against_seconds():
    with drawn(learning(curves=2)) as figure:
        assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "million samples", "seconds of training"]
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "", "accuracy", ""]


def test_text_is_ink_and_never_a_series_colour():
    for chart in EVERY_KIND:
        assert not re.search(r"<text[^>]*fill=", svg(chart)), chart.key


def test_charts_without_a_single_point_are_drawn_empty():
    for chart in (
        speedup(lines=()),
        efficiency(lines=()),
        step_parts(rows=0),
        steadiness(rows=0),
        learning(curves=0),
        classes(names=()),
        bars(bars=()),
        limits(rows=()),
    ):
        parsed(inline.svg(chart))
        assert describe(chart)
        table(chart)


def test_matplotlib_is_loaded_only_to_draw():
    program = (
        "import sys, reports.figures.data, reports.figures.telling, reports.figures.svg.palette; "
        "sys.exit(any(each in sys.modules for each in ('matplotlib', 'torch', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_files_own_ink_is_dark():
    assert LIGHT.ink != INK


def named(chart):
    """The same chart with a name for every launch."""
    lines = tuple(
        replace(
            line,
            points=tuple(
                replace(point, names=tuple(f"r{number:02d}p{place:02d}" for number in range(len(point.launches))))
                for place, point in enumerate(line.points)
            ),
        )
        for line in chart.lines
    )
    return replace(chart, lines=lines)


@pytest.mark.parametrize("made", [speedup, efficiency])
def test_every_dot_says_which_launch_it_is_and_so_does_the_table(made):
    chart = named(made())
    root = parsed(svg(chart))
    dots = [path for path in root.iter(f"{SVG}path") if (path.findtext(f"{SVG}title") or "").startswith("r0")]
    launches = [name for line in chart.lines for point in line.points for name in point.names]
    assert sorted(path.findtext(f"{SVG}title").split()[0] for path in dots) == sorted(launches)
    assert all(re.fullmatch(r"M[\d.]+ [\d.]+h0", path.get("d")) for path in dots)
    widths = {each.get("stroke-width") for each in root.iter() if each.get("stroke-linecap") == "round"}
    assert widths == {"3"}  # a dot whose diameter is no number is drawn by nobody
    told = table(chart)
    assert told.headers[-1] == "launches"
    assert all(f"{name} " in " ".join(row[-1] for row in told.rows) for name in launches)


def test_very_many_launches_stay_one_path_and_have_no_names():
    line = scaling_line("ddp", (1, 2, 4, 8), 0.95, n=30)
    chart = named(speedup(lines=(line,)))
    assert "r00p00" not in svg(chart)
    assert "launches" not in table(chart).headers


def test_a_launch_that_is_slow_as_a_whole_is_drawn_where_it_is():
    """Cut at one and a half times the median it was a flat line at the edge, as if it were steady there."""
    slow = steadiness(rows=1, launches=3, steps=200)
    row = slow.rows[0]
    third = replace(row.launches[2], step_ms=tuple(2.5 * step for step in row.launches[2].step_ms))
    chart = replace(slow, rows=(replace(row, launches=(*row.launches[:2], third)),))
    with drawn(chart) as figure:
        (panel,) = figure.axes
        assert panel.get_ylim()[1] > max(sorted(third.step_ms)[: len(third.step_ms) // 2])


def test_a_long_label_of_a_bar_keeps_its_end():
    labels = ("ddp on 2 ranks over 2 nodes with 4 cores", "ddp on 2 ranks over 2 nodes with 8 cores")
    made = bars()
    found = tuple(replace(bar, label=label) for bar, label in zip(made.bars, labels, strict=False))
    told = texts(svg(replace(made, bars=found)))
    assert sum(each.startswith("ddp on 2") and each.endswith("4 cores") for each in told) == 1
    assert sum(each.startswith("ddp on 2") and each.endswith("8 cores") for each in told) == 1


def test_what_a_small_machine_can_do_is_told_in_a_unit_that_has_digits_before_the_point():
    """`0.0000540 TFLOP/s` was what a page said of two cores."""
    small = replace(
        limits(),
        rows=(data.Reached(label="single", tflops=5.4e-5, ceilings=(data.Ceiling(name="measured", tflops=8.48e-3),)),),
    )
    assert table(small).rows == (("single", "0.0540", "measured", "8.48", "0.6\N{NARROW NO-BREAK SPACE}%"),)
    assert table(small).headers[1] == "reached, GFLOP/s"
    assert "0.0540 GFLOP/s" in describe(small)
    assert any("GFLOP/s" in each for each in texts(svg(small)))
    assert table(limits()).headers[1] == "reached, TFLOP/s"
