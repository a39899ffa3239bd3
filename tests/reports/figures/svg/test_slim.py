import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.figures.svg.slim import compact, dots, short

NUMBERS = st.floats(-500, 500, allow_nan=False)
POINTS = st.tuples(NUMBERS, NUMBERS)


def corners(path):
    """The corners of a compact path, read by the grammar of SVG: an implicit command repeats the last one."""
    tokens = re.findall(r"[a-zA-Z]|-?(?:\d+\.?\d*|\.\d+)", path)
    at, command, found = (0.0, 0.0), "", []
    while tokens:
        if tokens[0].isalpha():
            command = tokens.pop(0)
        if command == "z":
            continue
        take = {"h": 1, "v": 1}.get(command, 2)
        values = [float(tokens.pop(0)) for _ in range(take)]
        dx, dy = {"h": (values[0], 0.0), "v": (0.0, values[0])}.get(command, tuple(values[-2:]))
        at = (dx, dy) if command == "M" else (at[0] + dx, at[1] + dy)
        if command == "M":
            command = "L"
        found.append(at)
    return found


@given(st.lists(POINTS, min_size=1, max_size=40))
def test_a_path_goes_where_it_went_and_rounding_never_adds_up(points):
    text = "".join(f"{'ML'[number > 0]} {x!r} {y!r} \n" for number, (x, y) in enumerate(points))
    found = corners(compact(text))
    assert len(found) == len(points)
    for (x, y), (other_x, other_y) in zip(points, found, strict=True):
        assert (other_x, other_y) == (pytest.approx(x, abs=0.051 + 1e-6), pytest.approx(y, abs=0.051 + 1e-6))


def test_curves_keep_their_control_points_apart():
    assert compact("M 0 1.5 C 0.4 1.5 0.8 1.3 1.06 1.06") == "M0 1.5c.4 0 .8-.2 1.1-.4"


def test_closing_goes_back_to_the_start():
    assert compact("M 1 1 L 2 1 L 2 2 Z M 5 5 L 6 5") == "M1 1h1v1zM5 5h1"


def test_a_path_can_be_moved():
    assert compact("M 1 1 L 2 2", (10, -1)) == "M11 0l1 1"


def test_equal_dots_are_one_dot():
    assert dots([(1, 2), (1.01, 2.01), (3, 4)]) == "M1 2h0M3 4h0"


@pytest.mark.parametrize(("value", "text"), [(0.04, "0"), (-0.04, "0"), (0.5, ".5"), (-0.25, "-.2"), (10.0, "10")])
def test_numbers_are_short(value, text):
    assert short(value) == text
