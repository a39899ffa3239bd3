"""Findings as the output of a notebook's cell: the page's own blocks in the page's style, kept to that cell."""

from bench.analysis.comparing.nouns import Comparison
from bench.analysis.report import StudyReport
from bench.analysis.result import Study
from reports.comparing.comparison import sentence as compared_sentence
from reports.page import closing, comparing, layout, sections
from reports.scaling.sentence import sentence


def study(found: Study) -> str:
    """The sentence, the table with its notes, the warnings."""
    report = StudyReport(study=found)
    blocks = (*sections.results(report, f"-{found.study_id}"), *closing.warnings(report, ""))
    return layout.cell(sentence(found), blocks)


def comparison(found: Comparison) -> str:
    """The sentence, the table with its notes, what differs between the machines."""
    _, *blocks = comparing.compared(found).blocks
    return layout.cell(compared_sentence(found), blocks)
