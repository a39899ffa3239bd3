"""Studies as Markdown for an issue or a README: GitHub's pipe table, with the setup above and the notes below."""

import re

from bench.analysis.comparing.nouns import Comparison
from bench.analysis.report import Report, StudyReport
from reports.comparing import comparison
from reports.learning import table as learning
from reports.scaling.table import TableModel, build
from reports.text import fmt
from reports.text.columns import Column


def render(report: Report) -> dict[str, str]:
    """One `.md` file; of several studies one after the other."""
    heading = [f"# {_escape(report.title)}\n"] if report.title else []
    beside = [compared(report.comparison)] if report.comparison is not None else []
    return {".md": "\n".join([*heading, *map(_one, report.studies), *beside])}


def _one(report: StudyReport) -> str:
    found = learning.headline(report.study)
    beside = learning.columns(found) if found else ()
    return markdown(build(report.study), beside, learning.closing(report.study), report.command)


def markdown(
    model: TableModel, beside: tuple[Column, ...] = (), learned: tuple[str, ...] = (), command: str = ""
) -> str:
    """The whole model as Markdown text; below it what is published, what was learned, and what repeats it."""
    blocks = [
        f"## {_escape(model.title[0][0])}",
        "\n".join(f"{_escape(' · '.join(line))}  " for line in model.title).rstrip(),
        table(model.columns),
        f"**Verdict.** {_escape(model.sentence)}",
        *(["\n".join(f"- **Warning.** {_escape(warning)}" for warning in model.warnings)] if model.warnings else []),
        "\n".join(f"- {_escape(note.text)}" for note in model.footnotes),
        *([table(beside)] if beside else []),
        *(["\n".join(f"- {_escape(each)}" for each in learned)] if learned else []),
        *([_fenced(command)] if command else []),
        f"Study `{model.study_id}`",
    ]
    return "\n\n".join(blocks) + "\n"


def compared(found: Comparison) -> str:
    """The study judged against another, in the words of `bench compare`."""
    columns, notes = comparison.columns_of(found), comparison.notes_of(found)
    blocks = [
        f"## Compared: {_escape(comparison.heading(found))}",
        f"**Verdict.** {_escape(comparison.sentence(found))}",
        *([table(columns), _escape(comparison.caption(found))] if columns else []),
        *(["\n".join(f"- {_escape(fmt.clean(note))}" for note in notes)] if notes else []),
    ]
    return "\n\n".join(blocks) + "\n"


def table(columns: tuple[Column, ...]) -> str:
    """A pipe table, padded so that it is also readable as text."""
    padded = []
    for column in columns:
        texts = [_escape(text) for text in (column.header, *column.cells)]
        width = max(3, *map(len, texts))
        texts = [text.rjust(width) if column.align == "right" else text.ljust(width) for text in texts]
        rule = f"{'-' * (width - 1)}:" if column.align == "right" else "-" * width
        padded.append([texts[0], rule, *texts[1:]])
    return "\n".join(f"| {' | '.join(line)} |" for line in zip(*padded, strict=True))


def _fenced(command: str) -> str:
    """What repeats it, in a fence longer than any that the command could close."""
    longest = max((len(run) for run in re.findall(r"`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{fmt.clean(command)}\n{fence}"


def _escape(text: str) -> str:
    r"""Text that means itself: no emphasis, no link, no tag, no new cell. `~121` in a cell stays as it is."""
    return re.sub(r"([\\`*_|<$]|^[#>+=-]|~(?=~)|(?<=~)~|\](?=[(\[:])|&(?=#?\w+;))", r"\\\1", text)
