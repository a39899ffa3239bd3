"""What rows and studies are called, in words, wherever they are spoken of."""

from collections.abc import Sequence
from typing import Protocol

from bench.analysis.report import StudyReport
from bench.analysis.result import Classes, Study
from bench.plan import Configuration
from reports.text import fmt


class Named(Protocol):
    """A row of a study or of a comparison, or a launch of the plan."""

    @property
    def configuration(self) -> Configuration: ...


def phrase(named: Named, among: Sequence[Named]) -> str:
    """E.g. `ddp on 2 ranks` or `single`; device and cores are said where rows would otherwise share a name."""
    row = named.configuration
    where = {"single": "", "dp": f" on {fmt.count(row.ranks, 'device')}"}
    ranks = where.get(row.strategy, f" on {'one rank' if row.ranks == 1 else fmt.count(row.ranks, 'rank')}")
    hosts = f" over {row.nodes} nodes" if row.nodes > 1 else ""
    return f"{row.strategy}{ranks}{hosts}" + _device(row, among, " of ") + _cores(row, among, " with ")


def of_rows(study: Study) -> dict[str, str]:
    """What each row of a study is called, by its key."""
    return {row.key: phrase(row, study.rows) for row in study.rows}


def label(named: Named, among: Sequence[Named]) -> str:
    """Short, for a progress line: `ddp cpu x2`."""
    row = named.configuration
    hosts = f" on {row.nodes} nodes" if row.nodes > 1 else ""
    return f"{row.strategy} {row.device} x{row.ranks}{hosts}" + _cores(row, among, ", ")


def mode(named: Named, among: Sequence[Named]) -> str:
    """For a table with columns for ranks and cores: `ddp`, or `single mps` where several devices must be named."""
    return named.configuration.strategy + _device(named.configuration, among, " ")


def _device(row: Configuration, among: Sequence[Named], joint: str) -> str:
    return f"{joint}{row.device}" if len({each.configuration.device for each in among}) > 1 else ""


def _cores(row: Configuration, among: Sequence[Named], joint: str) -> str:
    namesakes = {
        each.cores_per_rank
        for each in (one.configuration for one in among)
        if (each.strategy, each.device, each.ranks) == (row.strategy, row.device, row.ranks)
    }
    if len(namesakes) < 2 or row.cores_per_rank is None:
        return ""
    return f"{joint}{fmt.count(row.cores_per_rank, 'core')}"


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
    return f"{setup(study)}; {of_rows(study)[found.configuration]} after epoch {found.epoch}"
