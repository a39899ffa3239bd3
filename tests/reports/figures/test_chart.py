import re
import subprocess
import sys
from dataclasses import replace

import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from reports.figures.svg.files import inline
from reports.figures.svg.palette import INK, LIGHT
from tests.reports.figures.fabricated_charts import (
    EVERY_KIND,
    SVG,
    TWELVE_ROWS,
    bars,
    classes,
    efficiency,
    learning,
    limits,
    parsed,
    scaling_line,
    speedup,
    step_parts,
    step_time,
    svg,
    texts,
)

KINDS = pytest.mark.parametrize("chart", EVERY_KIND, ids=lambda chart: chart.key)


HOSTILE = r"a_b%&#$~^\ <script>alert('x')</script> " + "\N{GREEK SMALL LETTER ALPHA}"


@KINDS
def test_every_chart_has_a_role_a_title_a_description_and_a_table(chart):
    root = parsed(svg(chart))
    assert root.attrib["role"] == "img"
    named = {each.get("id"): each.text for each in root.iter() if each.get("id")}
    title, described = root.attrib["aria-labelledby"].split()
    assert named[title] == chart.title
    assert named[described] == chart.alt_text()
    shown = chart.table()
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
    one, other = svg(EVERY_KIND[0]), svg(replace(EVERY_KIND[0], suffix="-2"))
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
        "import sys\nfrom tests.reports.figures.fabricated_charts import speedup, svg\n"
        "sys.stdout.buffer.write(svg(speedup()).encode())"
    )
    environment = {"LC_ALL": "de_DE.UTF-8", "PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, env=environment)
    assert found.stdout.decode() == svg(speedup())


def test_what_the_user_configured_for_matplotlib_changes_nothing():
    import matplotlib as mpl

    with mpl.rc_context({"axes.grid": True, "lines.linewidth": 9, "font.size": 30, "svg.fonttype": "path"}):
        assert inline(speedup()) == svg(speedup())


def test_the_charts_of_a_study_of_twelve_rows_leave_room_for_its_page():
    sizes = {chart.key: len(svg(chart).encode()) for chart in TWELVE_ROWS}
    assert sum(sizes.values()) < 150_000, sizes
    assert max(sizes.values()) < 30_000, sizes


@KINDS
def test_a_figure_is_laid_out_once_and_drawn_once(chart, monkeypatch):
    """Left to matplotlib, saving draws it once more for the layout's sake: half of the time of a report's charts."""
    called = []

    def counted(kind, name):
        real = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *given, **named: called.append(name) or real(*given, **named))

    counted(Figure, "draw")
    counted(ConstrainedLayoutEngine, "execute")
    inline(chart)
    assert called == ["execute", "draw"]


def test_a_hostile_name_is_text_and_nothing_else():
    line = replace(scaling_line("x", (1, 2), 0.9), label=HOSTILE)
    chart = speedup(lines=(line,), setup=HOSTILE, baseline=HOSTILE)
    found = svg(chart)
    assert "<script" not in found
    assert f"{HOSTILE}, n = 6" in texts(chart)
    parsed(found)


def test_what_is_not_drawn_is_named_with_its_reason():
    assert speedup(absent=("ddp on 8 ranks: crash",)).alt_text().endswith("Not drawn: ddp on 8 ranks: crash.")


def test_text_is_ink_and_never_a_series_colour():
    for chart in EVERY_KIND:
        assert not re.search(r"<text[^>]*fill=", svg(chart)), chart.key


def test_charts_without_a_single_point_are_drawn_empty():
    for chart in (
        speedup(lines=()),
        efficiency(lines=()),
        step_parts(rows=0),
        step_time(rows=0),
        learning(curves=0),
        classes(names=()),
        bars(bars=()),
        limits(rows=()),
    ):
        parsed(inline(chart))
        assert chart.alt_text()
        chart.table()


def test_matplotlib_is_loaded_only_to_draw():
    program = (
        "import sys, reports.figures; from reports.page import sections; assert len(reports.figures.charts()) > 10; "
        "sys.exit(any(each in sys.modules for each in ('matplotlib', 'torch', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_files_own_ink_is_dark():
    assert LIGHT.ink != INK
