"""One side of a comparison: a study as it was read from its store, or the part of it that was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.analysis.comparing.nouns import StudyRef
from bench.analysis.ended import ended
from bench.analysis.result import Row, Study
from bench.analysis.statistics.unpaired import Noise
from bench.plan import Plan
from bench.store.schema import Dna, Launch


@dataclass(frozen=True, kw_only=True)
class Operand:
    """One study, or part of one, as it was read from its store."""

    name: str
    study: Study
    plan: Plan
    launches: Sequence[Launch]
    dna: Sequence[Dna]
    # Top-1 of the last epoch, by configuration and seed: of this study and its kin, which differ in the seed alone.
    accuracy: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    noise: Mapping[str, Noise] = field(default_factory=dict)  # by configuration, where the machine is calibrated
    configuration: str | None = None  # this row alone
    launch_id: str | None = None  # this launch alone

    @property
    def party(self) -> StudyRef:
        return StudyRef(
            name=self.name,
            study_id=self.study.study_id,
            created_at=self.plan.created_at,
            launch_id=self.launch_id,
            model=self.study.title.model,
            data=self.study.title.data,
            precision=self.study.title.precision,
            hw_id=self.study.hw_id,
            sw_id=self.study.sw_id,
        )

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows that were asked for."""
        mine = {each.configuration for each in self.launches if each.launch_id == self.launch_id}
        return tuple(
            row
            for row in self.study.rows
            if self.configuration in {None, row.key} and (self.launch_id is None or row.key in mine)
        )

    def ended(self, configuration: str) -> list[Launch]:
        """The launches behind a row's number, in order of rounds; of a launch asked for, that one."""
        found = ended(self.launches, configuration)
        return [each for each in found if self.launch_id in {None, each.launch_id}]

    def rates(self, row: Row) -> list[float]:
        """Samples per second of each launch of `ended`; they stand in the row in the same order."""
        every = replace(self, launch_id=None).ended(row.key)
        # A launch without a timed step makes its row INVALID, and no rate of an INVALID row is asked for.
        pairs = zip(every, row.rates, strict=True)
        return [rate for launch, rate in pairs if self.launch_id in {None, launch.launch_id}]

    def by_round(self, row: Row) -> dict[int, float]:
        """Rates by round."""
        return dict(zip((each.round for each in self.ended(row.key)), self.rates(row), strict=True))
