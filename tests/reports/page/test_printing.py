"""The page as PDF: by a browser that is there, the same bytes each time, or a reason and another way."""

import shutil
import sys

import pytest

from bench.errors import CANNOT, CannotError
from reports.page import printing

PAGE = "<!doctype html><html lang=en><title>t</title><h1>A study</h1></html>"


def test_without_a_browser_the_error_says_what_to_install_and_what_else_there_is(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CannotError, match="none is on the PATH") as refused:
        printing.pdf(PAGE, "2026-11-22T08:14:55+00:00")
    assert refused.value.code == CANNOT
    assert "--format html" in refused.value.hint
    assert len(refused.value.lines) <= 4


def test_a_browser_that_does_not_print_is_told_with_its_last_words(monkeypatch, tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no display, no library')\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(broken))
    with pytest.raises(CannotError, match="did not print the page: no display, no library"):
        printing.pdf(PAGE, "")


def test_the_date_in_a_pdf_is_the_studys_and_its_length_stays():
    inside = b"1 0 obj <</CreationDate (D:20991231235959+00'00') /ModDate (D:20991231235959+00'00')>>"
    found = printing.dated(inside, "2026-11-22T08:14:55+00:00")
    assert found == inside.replace(b"20991231235959", b"20261122081455")
    assert len(printing.dated(inside, "")) == len(inside)


@pytest.mark.slow
def test_a_real_browser_prints_the_same_bytes_twice():
    try:
        printing.browser()
    except CannotError as error:
        pytest.skip(error.message)
    first, second = (printing.pdf(PAGE, "2026-11-22T08:14:55+00:00") for _ in range(2))
    assert first.startswith(b"%PDF-")
    assert first == second
