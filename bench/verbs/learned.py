"""The part of `bench show` that tells of learning; read only where whole epochs were trained: it needs statistics."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import profiles
from bench import study
from bench.analysis.digits import significant
from bench.analysis.learning import accuracy, why
from bench.analysis.result import Diagnosis, Row, Study, TimeTo
from bench.plan import Plan
from bench.store import index, read
from bench.store.schema import Epoch, Launch
from reports.learning import table as accuracy_table
from reports.learning import why as causes
from reports.text import fmt
from reports.text.columns import laid_out

_HOLDS = "published"


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a study, or one launch of it, learned."""

    plan: Plan
    study: Study
    rows: Sequence[Row]  # those with an accuracy; of a launch, its own
    epochs: Mapping[str, Sequence[Epoch]]  # by row
    reached: Mapping[str, TimeTo]  # by row: the accuracy that was asked about

    @classmethod
    def read(
        cls, store: Path, plan: Plan, launch: Launch | None, damaged: list[index.Damage], reach: float | None
    ) -> "Learned":
        """From the store; `launch` narrows it to one launch's row and epochs."""
        found = study.analyse(store, plan.study_id)
        row_of = {each.launch_id: each.configuration for each in read.launches(store, plan.study_id, damaged)}
        epochs: dict[str, list[Epoch]] = {}
        for each in read.committed(store, plan.study_id, damaged).epochs(damaged):
            if launch is None or each.launch_id == launch.launch_id:
                epochs.setdefault(row_of[each.launch_id], []).append(each)
        return cls(
            plan=plan,
            study=found,
            rows=[row for row in found.rows if row.key in epochs],
            epochs=epochs,
            reached={row: time for row, each in epochs.items() if reach and (time := accuracy.time_to(reach, each))},
        )

    def lines(self) -> Iterator[str]:
        """After the card."""
        sentences = [*accuracy_table.sentences(self.study), *self._reached()]
        if sentences:
            yield from ("", "learned", *(f"  {_plain(each)}" for each in sentences))
        if self.study.published:
            columns = [laid_out(each) for each in accuracy_table.columns(self.study.published)]
            yield from ("", _HOLDS, *("  " + _plain("  ".join(cells)).rstrip() for cells in zip(*columns, strict=True)))
            notes = dict.fromkeys(each.published.note for each in self.study.published if each.published.note)
            yield from (f"  note: {each}" for each in notes)

    def why_lines(self) -> Iterator[str]:
        """Instead of the card."""
        if not self.rows:
            yield f"{self.plan.study_id} has no evaluated epoch yet."
        for number, row in enumerate(self.rows):
            if number:
                yield ""
            yield from causes.lines(self._why(row), self._possible())

    def document(self, *, why: bool) -> dict[str, Any]:
        """What it adds to the card's document."""
        rows = [{"configuration": row.key, "accuracy": row.accuracy, "times_to": row.times_to} for row in self.rows]
        document = {"learned": rows, **accuracy_table.document(self.study)}
        if self.reached:
            document["reached"] = self.reached
        if why:
            document["why"] = [self._why(row) for row in self.rows]
        return document

    def _why(self, row: Row) -> Diagnosis:
        return why.diagnose(self.plan, row, self.epochs[row.key])

    def _reached(self) -> Iterator[str]:
        for row, found in self.reached.items():
            yield f"{row}: {accuracy_table.time(found)}"

    def _possible(self) -> str | None:
        """What the well-known recipe of the same model and data comes to, from the profiles."""
        for name in profiles.names():
            profile = profiles.read(name)
            same = (profile["model"].get("name"), profile.get("data", {}).get("name")) == (
                self.plan.workload.model,
                self.plan.workload.data,
            )
            if same and name.endswith("-best") and name != self.plan.profile:
                best = max(each["value"] for each in profile["published"] if each["metric"] == "top1")
                epochs = profile["measure"]["epochs"]
                return f"Known to be possible: {significant(best, 6)} % after {epochs} epochs, with --profile {name}."
        return None


def _plain(text: str) -> str:
    return text.replace(fmt.NARROW, " ")
