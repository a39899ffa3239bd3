"""What a report tells of studies beyond their tables: nouns only, so that every form of it renders the same object."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.analysis.comparing.nouns import Comparison, Difference
from bench.analysis.result import Classes, Energy, Learned, Reached, StepParts, Study, Traces


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """One launch: where a point of a chart comes from, and every failure by name."""

    launch_id: str
    configuration: str
    round: int
    method_version: int  # of what was measured and how
    status: str
    reason: str | None
    rate_sps: float | None  # after the cut; None without a timed step
    speedup: float | None  # over the baseline of the same round; None where the row may have no ratio


@dataclass(frozen=True, kw_only=True)
class Card:
    """One machine with its software, as the launches saw it."""

    hw_id: str
    sw_id: str
    num_id: str | None
    launches: int
    identity: Mapping[str, str]  # field -> text, as `bench.analysis.comparing.dna_effects` spells fields
    software: Mapping[str, str]
    conditions: Mapping[str, str]  # at the first of its launches
    numeric: Mapping[str, str]
    measured: Mapping[str, str]
    unavailable: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """One study with everything that a report shows of it. All but the study may be empty."""

    study: Study
    created_at: str = ""  # UTC, ISO 8601
    command: str = ""  # what repeats it
    facts: Mapping[str, str] = field(default_factory=dict)  # of the workload and the plan, for method and captions
    launches: tuple[Attempted, ...] = ()
    traces: tuple[Traces, ...] = ()
    parts: tuple[StepParts, ...] = ()
    learned: tuple[Learned, ...] = ()
    classes: tuple[Classes, ...] = ()
    energy: tuple[Energy, ...] = ()
    reached: tuple[Reached, ...] = ()
    cards: tuple[Card, ...] = ()
    drift: tuple[Difference, ...] = ()  # fields that differ between the launches of this study


@dataclass(frozen=True, kw_only=True)
class Report:
    """One or several studies, told together."""

    studies: tuple[StudyReport, ...]
    title: str = ""  # the reader's own; empty: made from the studies
    differences: tuple[Difference, ...] = ()  # of the machines of the first two studies that differ
    comparison: Comparison | None = None  # the study, as B, judged against the one asked for by --compare
    anonymous: bool = False

    @property
    def name(self) -> str:
        """What its files are called."""
        first, *others = (each.study.study_id for each in self.studies)
        return f"{first}-and-{len(others)}-more" if others else first


def of_study(study: Study) -> Report:
    """The report of a study of which only the table is known."""
    return Report(studies=(StudyReport(study=study),))
