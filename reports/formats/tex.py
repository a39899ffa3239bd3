r"""A study as LaTeX with booktabs and siunitx: the table to `\input` into a paper, and a document that compiles alone.

The digits follow the intervals already, so siunitx only aligns them.
"""

import re

from bench.analysis.report import Report, StudyReport
from reports import words
from reports.latex import columns, escape
from reports.model import build, fitting

_WIDTH = 100  # characters that still read well at \footnotesize on a page
_PACKAGES = "booktabs,graphicx,siunitx"


def render(report: Report) -> dict[str, str]:
    """Two `.tex` files: the table of each study alone, and a document around them."""
    fragment = "\n".join(map(latex, report.studies))
    return {".tex": fragment, "-standalone.tex": document(fragment)}


def latex(told: StudyReport) -> str:
    """A `table` environment; its first line names the packages that it needs."""
    study = told.study
    model = build(study)
    rates = [row.throughput for row in study.rows]
    folded = tuple(each for each in model.columns if not each.header.startswith("±"))  # into the throughput itself
    shown, gone = fitting(folded, _WIDTH)
    made = [each for column in shown for each in columns(column, rates)]
    setup = "; ".join(", ".join(line) for line in model.title)
    measured = f" Measured {words.clean(told.created_at[:10])}." if told.created_at else ""
    return "\n".join(
        [
            rf"% needs \usepackage{{{_PACKAGES}}}",
            *([f"% left out to fit a page, in the csv: {words.to_ascii(', '.join(gone))}"] if gone else []),
            r"\begin{table}[t]",
            r"\centering\footnotesize\sisetup{group-digits=integer,group-minimum-digits=4}",
            rf"\caption{{{escape(setup)}.{escape(measured)} {escape(model.sentence)}}}",
            rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', model.study_id)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}{' '.join(each.alignment for each in made)}@{{}}}}",
            r"\toprule",
            f"{' & '.join(each.header for each in made)} \\\\",
            r"\midrule",
            *(f"{' & '.join(cells)} \\\\" for cells in zip(*(each.cells for each in made), strict=True)),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\smallskip\raggedright",
            *([f"{escape(_IN_PARENTHESES)}\\par"] if any(map(words.has_interval, filter(None, rates))) else []),
            *(f"{escape(note.text)}\\par" for note in model.footnotes),
            *(f"Warning: {escape(warning)}\\par" for warning in model.warnings),
            r"\end{table}",
            "",
        ]
    )


_IN_PARENTHESES = f"In parentheses: half of the 95{words.NARROW}% interval, in units of the last digit."


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
