r"""A study as LaTeX with booktabs and siunitx: the table to `\input` into a paper, and a document that compiles alone.

The digits follow the intervals already, so siunitx only aligns them.
"""

import re
from collections.abc import Sequence

from bench.analysis.comparing.nouns import Comparison
from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Estimate
from reports.comparing import comparison
from reports.scaling.table import build
from reports.text import fmt
from reports.text.columns import Column, fitting
from reports.text.latex import columns, escape

_WIDTH = 100  # characters that still read well at \footnotesize on a page
_PACKAGES = "booktabs,graphicx,siunitx"


def render(report: Report) -> dict[str, str]:
    """Two `.tex` files: the table of each study alone, and a document around them."""
    beside = [compared(report.comparison)] if report.comparison is not None else []
    fragment = "\n".join([*map(latex, report.studies), *beside])
    return {".tex": fragment, "-standalone.tex": document(fragment)}


def latex(report: StudyReport) -> str:
    """A `table` environment; its first line names the packages that it needs."""
    study = report.study
    model = build(study)
    rates = [row.throughput for row in study.rows]
    folded = tuple(each for each in model.columns if not each.header.startswith("±"))  # into the throughput itself
    setup = "; ".join(", ".join(line) for line in model.title)
    measured = f" Measured {fmt.clean(report.created_at[:10])}." if report.created_at else ""
    notes = [note.text for note in model.footnotes]
    return _table(
        folded,
        rates=rates,
        caption=f"{setup}.{measured} {model.sentence}",
        label=model.study_id,
        notes=[
            *([_IN_PARENTHESES] if any(map(fmt.has_interval, filter(None, rates))) else []),
            *notes,
            *(f"Warning: {warning}" for warning in model.warnings),
        ],
    )


def compared(found: Comparison) -> str:
    """The study judged against another, in the words of `bench compare`."""
    columns = comparison.columns_of(found)
    caption = f"{comparison.heading(found)}. {comparison.sentence(found)}"
    notes = [fmt.clean(note) for note in comparison.notes_of(found)]
    if not columns:
        return "\n".join([rf"\par {escape(caption)}", *(rf"\par {escape(note)}" for note in notes), ""])
    label = f"compared-{found.b.study_id}-{found.a.study_id}"
    return _table(columns, rates=(), caption=caption, label=label, notes=[comparison.caption(found), *notes])


def _table(
    columns_: Sequence[Column], *, rates: Sequence[Estimate | None], caption: str, label: str, notes: Sequence[str]
) -> str:
    shown, gone = fitting(tuple(columns_), _WIDTH)
    made = [each for column in shown for each in columns(column, rates)]
    return "\n".join(
        [
            rf"% needs \usepackage{{{_PACKAGES}}}",
            *([f"% left out to fit a page, in the csv: {fmt.to_ascii(', '.join(gone))}"] if gone else []),
            r"\begin{table}[t]",
            r"\centering\footnotesize\sisetup{group-digits=integer,group-minimum-digits=4}",
            rf"\caption{{{escape(caption)}}}",
            rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', label)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}{' '.join(each.alignment for each in made)}@{{}}}}",
            r"\toprule",
            f"{' & '.join(each.header for each in made)} \\\\",
            r"\midrule",
            *(f"{' & '.join(cells)} \\\\" for cells in zip(*(each.cells for each in made), strict=True)),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\smallskip\raggedright",
            *(f"{escape(note)}\\par" for note in notes),
            r"\end{table}",
            "",
        ]
    )


_IN_PARENTHESES = f"In parentheses: half of the 95{fmt.NARROW}% interval, in units of the last digit."


def document(fragment: str) -> str:
    """A document that compiles by itself."""
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage[utf8]{inputenc}",
            r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
            rf"\usepackage{{{_PACKAGES}}}",
            r"\pagestyle{empty}",
            r"\begin{document}",
            f"{fragment}\\end{{document}}",
            "",
        ]
    )
