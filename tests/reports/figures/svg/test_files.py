import io

import pytest
from PIL import Image

from reports.figures.svg import files
from reports.figures.svg.palette import INK, LIGHT
from tests.reports.figures.fabricated_charts import bars, confusion, learning, parsed, speedup


def test_one_figure_becomes_svg_pdf_png_and_alt_text_and_twice_the_same_bytes():
    chart = speedup(setup=r"a_b%&#$~^\ and $x^2$")
    found = files.render(chart)
    assert set(found) == {".svg", ".pdf", ".png", ".txt"}
    assert found == files.render(chart)
    assert found[".txt"].decode() == f"{chart.alt_text()}\n"
    root = parsed(found[".svg"])
    drawn = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert chart.title in drawn, "a file that stands alone says what it shows"
    assert r"a_b%&#$~^\ and $x^2$" in drawn, "and a dollar is a dollar"
    assert b"currentColor" not in found[".svg"]
    assert INK.encode() not in found[".svg"]
    assert LIGHT.ink.encode() in found[".svg"]


def test_the_picture_is_on_white_and_tells_what_it_shows():
    chart = confusion()
    found = files.render(chart)
    picture = Image.open(io.BytesIO(found[".png"]))
    assert picture.width > 1000
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert picture.text["Description"] == chart.alt_text()
    assert found[".pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in found[".pdf"]


@pytest.mark.parametrize("chart", [speedup(), bars(), learning()], ids=["speedup", "bars", "learning"])
@pytest.mark.filterwarnings("error:constrained_layout not applied")
def test_a_title_takes_its_room_above_the_chart_and_none_of_the_charts(chart):
    def panels(*, titled: bool) -> list[float]:
        with files.drawn(chart, titled=titled) as figure:
            return [axes.get_position().height * figure.get_figheight() for axes in figure.axes]

    assert panels(titled=True) == pytest.approx(panels(titled=False), rel=0.1)


def test_a_title_and_a_legend_above_the_panels_do_not_overlap():
    with files.drawn(learning(), titled=True) as figure:
        figure.draw_without_rendering()  # which puts the legend's words in their places
        (legend,) = figure.legends
        title = legend.get_title()
        assert title.get_text().startswith("Loss and accuracy\n")
        assert not figure.get_suptitle()
        lowest = title.get_window_extent().y0
        assert all(each.get_window_extent().y1 <= lowest for each in legend.get_texts())
