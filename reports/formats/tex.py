r"""A study as LaTeX with booktabs: the table to `\input` into a paper, and the same in a document that compiles alone.

Columns are right-aligned text in digits that already follow the interval, so nothing is left for siunitx to round.
"""

import re
import unicodedata

from bench.analysis.report import Report
from reports import words
from reports.model import TableModel, build, fitting

_WIDTH = 100  # characters that still read well at \footnotesize on a page

_DASH = "\0"  # stands in for a typeset dash while the two hyphens of an option are kept apart

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "%": r"\%",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"$\sim$",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        words.NARROW: r"\,",
        words.MISSING: _DASH,
        "±": r"$\pm$",
        "·": r"$\cdot$",
    }
)


def render(report: Report) -> dict[str, str]:
    """Two `.tex` files: the table of each study alone, and a document around them."""
    fragment = "\n".join(latex(build(told.study)) for told in report.studies)
    return {".tex": fragment, "-standalone.tex": document(fragment)}


def latex(model: TableModel) -> str:
    """A `table` environment; needs booktabs and graphicx."""
    columns, gone = fitting(model.columns, _WIDTH)
    rows = zip(*(column.cells for column in columns), strict=True)
    setup = "; ".join(", ".join(line) for line in model.title)
    return "\n".join(
        [
            "% needs \\usepackage{booktabs,graphicx}",
            *([f"% left out to fit a page, in the csv: {_comment(', '.join(gone))}"] if gone else []),
            r"\begin{table}[t]",
            r"\centering\footnotesize",
            rf"\caption{{{escape(setup)}. {escape(model.sentence)}}}",
            rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', model.study_id)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}{''.join('r' if column.align == 'right' else 'l' for column in columns)}@{{}}}}",
            r"\toprule",
            f"{' & '.join(escape(column.header) for column in columns)} \\\\",
            r"\midrule",
            *(f"{' & '.join(map(escape, cells))} \\\\" for cells in rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\smallskip\raggedright",
            *(f"{escape(note.text)}\\par" for note in model.footnotes),
            *(f"Warning: {escape(warning)}\\par" for warning in model.warnings),
            r"\end{table}",
            "",
        ]
    )


def document(fragment: str) -> str:
    """A document that compiles by itself."""
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage[utf8]{inputenc}",
            r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
            r"\usepackage{booktabs,graphicx}",
            r"\pagestyle{empty}",
            r"\begin{document}",
            f"{fragment}\\end{{document}}",
            "",
        ]
    )


def escape(text: str) -> str:
    """Text that typesets as itself; a letter that LaTeX's standard fonts lack is shown as its code point."""
    return "".join(_typeset(char) for char in text).replace("--", "-{}-").replace(_DASH, "--")


def _typeset(char: str) -> str:
    if char.isascii() or ord(char) in _SPECIAL:
        return char.translate(_SPECIAL)
    base = unicodedata.normalize("NFKD", char)[0]
    is_accented_latin = base.isascii() and base.isalpha() and ord(char) < 0x100
    return char if is_accented_latin else rf"\texttt{{U+{ord(char):04X}}}"


def _comment(text: str) -> str:
    return words.to_ascii(text)
