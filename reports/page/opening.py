"""What a page opens with: its title, what kind of study this is, and the numbers that it is about, in large."""

from collections.abc import Sequence

from bench.analysis.report import StudyReport
from bench.analysis.result import Accuracy, Row, Study
from reports.page.blocks import Headline
from reports.scaling import table
from reports.scaling.sentence import headlines as rows_of_the_sentence
from reports.scaling.sentence import is_suspect
from reports.text import fmt, names


def headlines(study: Study) -> tuple[Headline, ...]:
    """The row that the sentence is about, in large: never a speedup without the rate that it multiplies."""
    row = next((each for each in rows_of_the_sentence(study) if not each.is_invalid), None)
    base = study.baseline
    found = []
    if row is not None and row.speedup is not None and base is not None:
        found.append(
            Headline(
                value=f"{fmt.point(row.speedup)}x",
                bounds=fmt.interval(row.speedup),
                label=f"{_whose(row, study)} over {fmt.point(base.throughput)} samples/s",
            )
        )
    if row is not None and row.efficiency is not None:
        found.append(
            Headline(
                value=fmt.percent_point(row.efficiency),
                bounds=fmt.interval(row.efficiency, 100),
                label="efficiency",
            )
        )
    rate = row if row is not None else base
    if rate is not None and rate.throughput is not None and not rate.is_invalid:
        found.append(
            Headline(
                value=fmt.point(rate.throughput),
                bounds=fmt.interval(rate.throughput),
                label=f"samples/s, {_whose(rate, study)}",
            )
        )
    learned = next((each for each in (row, base) if each is not None and each.accuracy is not None), None)
    if learned is not None and learned.accuracy is not None:
        found.append(
            Headline(
                value=fmt.percent(learned.accuracy.top1, 2),
                bounds=_over_seeds(learned.accuracy),
                label=f"top-1 after {fmt.count(learned.accuracy.epoch, 'epoch')}",
            )
        )
    return tuple(found)


def _whose(row: Row, study: Study) -> str:
    """The row's name, and that it is suspect: whoever copies the large number must not miss that."""
    return names.phrase(row, study.rows) + " (suspect)" * is_suspect(row)


def _over_seeds(found: Accuracy) -> str:
    """The interval of top-1, as the sentences have it; empty for fewer than three seeds."""
    if found.low is None or found.high is None:
        return ""
    return f"[{fmt.number(100 * found.low, 2)},{fmt.NARROW}{fmt.number(100 * found.high, 2)}]"


def setup(study: Study) -> tuple[str, ...]:
    return tuple(fact for line in table.title(study) for fact in line)


def title(studies: Sequence[StudyReport]) -> str:
    works = dict.fromkeys(
        f"{fmt.clean(each.study.title.model)} on {fmt.clean(each.study.title.data)}" for each in studies
    )
    return fmt.listed(works) if len(works) < 4 else f"{len(studies)} studies"


def kicker(studies: Sequence[StudyReport]) -> str:
    days = sorted({each.created_at[:10] for each in studies if each.created_at})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else ""
    what = (
        _kind(studies[0].study) if len(studies) == 1 else fmt.count(len(studies), "study").replace("studys", "studies")
    )
    which = studies[0].study.study_id if len(studies) == 1 else ""
    return " · ".join(each for each in (what, when, which) if each)


def _kind(study: Study) -> str:
    if len(study.rows) < 2:
        return "Training run" if study.rows and study.rows[0].accuracy else "Measurement"
    return f"{study.title.scaling.capitalize()} scaling study"


def heading(report: StudyReport, studies: Sequence[StudyReport]) -> str:
    """What tells this study from the others, and its id."""
    return f"{names.study_among(report, studies)} ({report.study.study_id})" if len(studies) > 1 else ""
