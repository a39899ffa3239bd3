from itertools import combinations

import pytest

from reports.figures.confusion import DARKEST
from reports.figures.svg.palette import DARK, DASHES, LIGHT, MARKERS, MOST, css
from tests.reports.figures.svg.colour_science import SIGHTS, contrast, difference, linear, mixed, seen

DISTINGUISHED = 10  # CIEDE2000: about ten times what is just noticed side by side
MARK, TEXT = 3.0, 4.5  # WCAG 2.2, 1.4.11 and 1.4.3

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


@pytest.mark.parametrize(
    ("one", "other", "known"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ],
)
def test_the_colour_difference_gives_the_values_published_with_it(one, other, known):
    assert difference(one, other) == pytest.approx(known, abs=1e-4)


def test_the_simulated_sights_leave_white_white():
    for matrix in SIGHTS.values():
        assert matrix @ linear("#ffffff") == pytest.approx([1, 1, 1], abs=1e-3)


def test_red_and_green_of_one_lightness_are_mixed_up_without_the_red_or_the_green_cones():
    """Else the simulation would find nothing at all."""
    red, green = "#c1502e", "#7a7a2e"
    assert difference(seen(red, "normal"), seen(green, "normal")) > 2 * DISTINGUISHED
    assert difference(seen(red, "deuteranopia"), seen(green, "deuteranopia")) < DISTINGUISHED


@THEMES
@pytest.mark.parametrize("sight", SIGHTS)
def test_all_series_are_told_apart_by_every_sight(theme, sight):
    for one, other in combinations(theme.series, 2):
        assert difference(seen(one, sight), seen(other, sight)) > DISTINGUISHED, (one, other)


@THEMES
def test_marks_and_text_stand_out_from_the_page(theme):
    assert all(contrast(colour, theme.background) >= MARK for colour in theme.series)
    assert contrast(theme.ink, theme.background) >= TEXT


@THEMES
def test_numbers_are_read_on_the_darkest_cell_of_a_confusion_matrix(theme):
    assert contrast(theme.ink, mixed(theme.series[0], DARKEST, theme.background)) >= TEXT


def test_series_differ_in_marker_and_dash_too():
    assert MOST == len(set(MARKERS)) == len(set(DASHES)) == len(DARK.series) == 6


def test_a_page_gets_its_series_as_properties():
    assert css(LIGHT).startswith("--series-1:#0072b2;--series-2:")
    assert css(DARK).count(":") == MOST
