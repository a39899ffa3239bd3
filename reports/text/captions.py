"""What stands in every caption: of which study it is, and how that one was set up."""

from collections.abc import Sequence

from bench.analysis.report import StudyReport
from bench.analysis.result import Classes, Study
from reports.text import fmt, names


def setup(study: Study) -> str:
    """Model, data, weak or strong with its batch, precision."""
    run = study.title
    batch = "on every rank" if run.scaling == "weak" else "over all ranks"
    return (
        f"{fmt.clean(run.model)}, {fmt.clean(run.data)}; {run.scaling} scaling, "
        f"batch {fmt.number(run.batch)} {batch}; {run.precision}"
    )


def setups(reports: Sequence[StudyReport]) -> str:
    """Of several studies, each once."""
    return "; ".join(dict.fromkeys(setup(each.study) for each in reports))


def study_among(report: StudyReport, reports: Sequence[StudyReport]) -> str:
    """Its number and what distinguishes it from the others."""

    def facts(each: StudyReport) -> tuple[str, ...]:
        run = each.study.title
        return fmt.clean(run.model), fmt.clean(run.data), run.scaling, fmt.clean(run.device)

    among = [*zip(*map(facts, reports), strict=True)]
    differing = [fact for fact, seen in zip(facts(report), among, strict=True) if len(set(seen)) > 1]
    return f"{reports.index(report) + 1}. {', '.join(differing or facts(report)[:1])}"


def after_training(study: Study, found: Classes) -> str:
    """The set-up, the row and how long it trained."""
    return f"{setup(study)}; {names.of_rows(study)[found.configuration]} after epoch {found.epoch}"
