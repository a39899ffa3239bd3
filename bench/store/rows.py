"""All rows of one launch, as one value: what a commit puts into the store whole, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from bench.store.schema import TABLES, ClassScore, Dna, Epoch, Launch, Layer, to_table


@dataclass(frozen=True, kw_only=True)
class LaunchRows:
    """The rows of one attempt of a launch, by table."""

    launch: Launch
    steps: pa.Table | None = None  # of all ranks; None when none was timed
    epochs: Sequence[Epoch] = ()  # that were evaluated
    classes: Sequence[ClassScore] = ()  # their scores
    layers: Sequence[Layer] = ()  # that were looked into
    dna: Dna | None = None  # of the machine; None of a launch that is lost, and may have run on another

    def as_attempt(self, attempt: int, warning: str) -> "LaunchRows":
        """The same rows as a later attempt, with why."""
        launch = replace(self.launch, attempt=attempt, warnings=(*self.launch.warnings, warning))
        return replace(self, launch=launch)

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The tables that have rows, in the order in which they are written."""
        rows: dict[str, list[Any]] = {
            "launches": [self.launch],
            "epochs": list(self.epochs),
            "classes": list(self.classes),
            "layers": list(self.layers),
            "dna": [self.dna] if self.dna is not None else [],
        }
        found = {table: to_table(table, each) for table, each in rows.items() if each}
        if self.steps is not None:
            found["steps"] = self.steps
        return {table: found[table] for table in TABLES if table in found}
