"""The terminal: whatever its width, letters and colours, no row is wrapped and nothing is lost."""

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from reports.scaling.terminal import next_command, show
from reports.text.console import console_for
from tests.reports import fabricated_studies as studies

HOSTILE = "a_b%&#$~^\\[red]:smile:\x1b[31m\r\n" + "long " * 30


def hostile():
    study = studies.failed_rank()
    rows = tuple(replace(row, reasons=(HOSTILE,)) for row in study.rows)
    return replace(study, rows=rows, title=replace(study.title, model=HOSTILE, device=HOSTILE), warnings=(HOSTILE,))


EVERY = {**studies.ALL, "hostile": hostile}


@pytest.fixture
def printed(stream):
    """What is printed of a study to a stream of that kind."""

    def render(study, *, width=80, wide=False, color=True, **kind):
        target = stream(**kind)
        show(study, console_for(target, width=width, color=color), store="bench-results", wide=wide)
        return target.getvalue()

    return render


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("made", EVERY.values(), ids=EVERY)
def test_no_line_is_longer_than_the_terminal_is_wide(printed, made, encoding, width):
    for line in printed(made(), width=width, encoding=encoding).splitlines():
        assert cell_len(line) <= width


def test_wide_restores_every_column_and_wraps_none(printed):
    narrow, wide = printed(studies.good()), printed(studies.good(), wide=True)
    assert "Left out to fit the width" in narrow
    assert "Left out" not in wide
    header = next(line for line in wide.splitlines() if line.startswith("mode"))
    for name in ("cores/rank", "batch (global)", "±95 %", "eff. [95 %]", "step p50/p95 ms", "data wait", "peak MiB"):
        assert name in header
    assert sum(line.startswith(("single", "ddp")) for line in wide.splitlines()) == 4


def test_what_gave_way_is_named(printed):
    text = " ".join(printed(studies.good()).split())
    assert (
        "Left out to fit the width: data wait, comm., batch (global), peak MiB, ±95 %, step p50/p95 ms, epoch s" in text
    )
    assert "Status: ok in every row." in text


def test_a_note_about_a_column_that_gave_way_goes_with_it(printed):
    assert "~ projected" not in printed(studies.good())
    assert "~ projected" in printed(studies.good(), wide=True)


@pytest.mark.parametrize("made", EVERY.values(), ids=EVERY)
def test_a_terminal_without_unicode_gets_ascii(printed, made):
    assert printed(made(), encoding="ascii", wide=True).isascii()


def test_a_terminal_with_unicode_gets_its_dashes(printed):
    assert "─" in printed(studies.good())


@pytest.mark.parametrize(
    ("kind", "environment"),
    [
        ({"is_terminal": False}, {}),
        ({"is_terminal": False}, {"FORCE_COLOR": "1"}),
        ({"is_terminal": True}, {"NO_COLOR": "1"}),
        ({"is_terminal": True}, {"TERM": "dumb"}),
        ({"is_terminal": True, "color": False}, {}),
    ],
    ids=["piped", "piped, FORCE_COLOR", "NO_COLOR", "TERM=dumb", "--no-color"],
)
@pytest.mark.parametrize("made", [studies.failed_rank, hostile], ids=["failed_rank", "hostile"])
def test_no_escape_byte_and_no_carriage_return_where_they_are_not_wanted(printed, monkeypatch, made, kind, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    text = printed(made(), **kind)
    assert "\x1b" not in text
    assert "\r" not in text


def test_a_terminal_that_wants_colour_gets_it(printed):
    assert "\x1b[" in printed(studies.failed_rank(), is_terminal=True)


def test_colour_adds_nothing_that_the_words_do_not_say(printed):
    colored = printed(studies.undecided(), is_terminal=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == printed(studies.undecided())


def test_markup_in_a_name_is_text(printed):
    assert "[red]:smile:" in printed(hostile(), wide=True)


def test_no_line_ends_in_blanks(printed):
    assert not [line for line in printed(studies.good(), wide=True).splitlines() if line != line.rstrip()]


def test_a_number_is_never_broken_over_two_lines(printed):
    for width in range(58, 100, 5):
        text = printed(studies.undecided(), width=width)
        verdict = text[text.index("Verdict") : text.index("Saved")].splitlines()
        for whole in ("2.0647x", "[2.0577, 2.0717]", "1 303.1", "103.24 %", "[0.9986, 1.0017]"):
            assert any(whole in line for line in verdict), (whole, width)


def test_an_option_is_never_broken_over_two_lines(printed):
    study = replace(studies.good(), warnings=("Try --cores-per-rank 2. " * 20,))
    for width in range(60, 76, 3):
        assert printed(study, width=width).count("--cores-per-rank") == 20


def test_what_is_not_a_terminal_is_eighty_columns_or_what_columns_says(stream, monkeypatch):
    assert console_for(stream()).width == 80
    monkeypatch.setenv("COLUMNS", "132")
    assert console_for(stream()).width == 132


def test_it_ends_with_what_was_saved_and_what_to_do_next(printed):
    assert printed(studies.good()).rstrip().splitlines()[-2:] == [
        "Saved    bench-results, study 20261122-081455-3fa9",
        "Next     bench report 20261122-081455-3fa9",
    ]


def test_the_next_command_can_be_pasted_whatever_the_store_is_called():
    assert next_command("s1", "my results") == "bench report s1 --store 'my results'"


@pytest.mark.parametrize("name", studies.ALL)
def test_eighty_columns_are_the_approved_ones(printed, approved, name):
    approved(printed(studies.ALL[name]()), f"{name}.80.txt")


@pytest.mark.parametrize("name", ["good", "failed_rank", "accelerators"])
def test_the_wide_table_is_the_approved_one(printed, approved, name):
    approved(printed(studies.ALL[name](), wide=True), f"{name}.wide.txt")
