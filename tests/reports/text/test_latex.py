"""The table in LaTeX: escaped, aligned by siunitx, and typeset by a real engine."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis.report import StudyReport, of_study
from bench.analysis.result import Estimate
from reports import formats
from reports.text import fmt, latex
from reports.text.columns import Column
from tests.reports import fabricated_studies as studies

HOSTILE = "a_b%&#$~^\\{}<>|\"'`[x](y)*é中\x1b[31m\n--end"


def hostile():
    study = studies.failed_rank()
    rows = tuple(
        replace(row, reasons=(HOSTILE,), reasons_null={"peak_memory_bytes": HOSTILE}, peak_memory_bytes=None)
        for row in study.rows
    )
    title = replace(study.title, model=HOSTILE, data=HOSTILE, device=HOSTILE)
    return replace(study, title=title, rows=rows, warnings=(HOSTILE,), study_id="a_b")


def typeset(study, suffix=".tex"):
    return formats.find("tex").render(of_study(study))[suffix]


def body(table):
    inside = table[table.index(r"\toprule") : table.index(r"\bottomrule")]
    return [line for line in inside.splitlines() if line.endswith(r"\\")]


def rate(value, low, high):
    return Estimate(estimate=value, low=low, high=high, n=6, method="t interval")


def test_every_character_that_means_something_to_latex_is_escaped():
    assert latex.escape("a_b%&#$~^\\") == r"a\_b\%\&\#\$$\sim$\textasciicircum{}\textbackslash{}"


def test_a_percent_sign_is_never_a_comment():
    table = typeset(studies.good())
    code = [line for line in table.splitlines() if not line.startswith("%") and not line.endswith("{!}{%")]
    assert r"86.45\,\%" in "".join(code)
    assert not [line for line in code if re.search(r"(?<!\\)%", line)]


def test_two_hyphens_of_an_option_stay_two_hyphens():
    assert latex.escape("--resume") == "-{}-resume"
    assert latex.escape("\N{EN DASH}") == "--"


@settings(max_examples=50)
@given(st.text())
def test_braces_balance_and_no_character_is_left_for_latex_to_trip_over(text):
    escaped = latex.escape(text)
    bare = re.sub(r"\\([{}$&#%_,]|text[a-z]+)|\$\\(sim|pm|cdot)\$", "", escaped)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"[\\$&#%_^~]", bare)


@pytest.mark.parametrize("made", [*studies.ALL.values(), hostile])
def test_a_row_has_as_many_cells_as_there_are_columns(made):
    table = typeset(made())
    columns = re.search(r"\\begin\{tabular\}\{@\{\}(.+)@\{\}\}", table).group(1).split(" ")
    assert all(re.fullmatch(r"[lr]|S\[table-format=\d+\.\d+(\(\d+\))?\]", each) for each in columns)
    rows = body(table)
    assert len(rows) == 1 + len(made().rows)
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns) - 1}


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [
        (rate(2701.4, 2695.5, 2707.3), "2701.4(59)"),
        (rate(10020, 9630, 10410), "10020(390)"),
        (rate(1303.1, 1298.3, 1308.0), "1303.1(49)"),
        (rate(1303.1, None, None), "1300"),  # three digits: nothing tells of more
    ],
)
def test_a_rate_carries_its_uncertainty_in_units_of_its_last_digit(estimate, shown):
    column = Column(key="throughput", header="samples/s", cells=(fmt.point(estimate),))
    (made,) = latex.columns(column, [estimate])
    assert made.cells == (shown.replace("1300", fmt.point(estimate).replace(fmt.NARROW, "")),)
    assert made.header == "{samples/s}"


def test_an_estimate_with_an_interval_is_a_number_and_its_interval():
    cells = ("1.00 (baseline)", "1.730 [1.704,\u202f1.757]", fmt.MISSING)
    estimate, interval = latex.columns(Column(key="speedup", header="speedup [95 %]", cells=cells, align="point"), [])
    assert estimate.cells == ("1.00", "1.730", "{--}")
    assert interval.cells == ("(baseline)", r"[1.704,\,1.757]", "")
    assert estimate.alignment == "S[table-format=1.3]"


def test_a_shares_unit_stands_in_the_header():
    cells = ("100\u202f%", "86.5\u202f%")
    (made,) = latex.columns(Column(key="efficiency", header="eff.", cells=cells), [])
    assert (made.header, made.cells, made.alignment) == (r"{eff. (\%)}", ("100", "86.5"), "S[table-format=3.1]")


def test_what_is_no_number_stays_text():
    cells = ("64 (128)", "32 (64)")
    (made,) = latex.columns(Column(key="batch_per_rank", header="batch (global)", cells=cells), [])
    assert (made.alignment, made.cells) == ("r", cells)


def test_the_label_is_one_that_latex_takes():
    assert r"\label{tab:a-b}" in typeset(hostile())


def test_the_caption_says_when_it_was_measured():
    report = of_study(studies.good())
    changed = replace(report, studies=(StudyReport(study=studies.good(), created_at="2026-11-22T08:14:00+00:00"),))
    assert "Measured 2026-11-22." in formats.find("tex").render(changed)[".tex"]
    assert "Measured" not in typeset(studies.good())


def test_the_standalone_document_holds_the_same_table():
    assert typeset(studies.good()) in typeset(studies.good(), "-standalone.tex")


# With a real engine


@pytest.fixture
def compiled(tmp_path):
    """Run pdflatex on a document; returns the text of the PDF when pdftotext is there."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed here: `make test-latex` installs it on Debian")

    def run(document: str) -> str:
        (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
        ran = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-2000:]
        if shutil.which("pdftotext") is None:
            return ""
        return subprocess.run(
            ["pdftotext", "-layout", "paper.pdf", "-"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    return run


@pytest.mark.slow
@pytest.mark.parametrize("made", [*studies.ALL.values(), hostile])
def test_the_document_compiles_alone(made, compiled):
    text = compiled(typeset(made(), "-standalone.tex"))
    for row in made().rows if text else ():
        assert row.status.replace("_", " ") in text.replace("_", " ")  # drawn as a rule, which is no letter


@pytest.mark.slow
def test_the_table_compiles_by_input_in_somebodys_paper(compiled, tmp_path):
    for number, made in enumerate((studies.good, hostile)):
        (tmp_path / f"table{number}.tex").write_text(typeset(made()), encoding="utf-8")
    needed = re.search(r"\\usepackage\{.+?\}", typeset(studies.good()))[0]
    text = compiled(
        rf"\documentclass{{article}}{needed}\begin{{document}}See Table~\ref{{tab:a-b}}."
        r"\input{table0}\input{table1}\end{document}"
    )
    if text:
        assert "86.45" in text
        assert "b%&#$" in text
