"""What is exported: a study, its launches, and each launch's course along axes that are named."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.analysis.result import Study
from bench.plan import Plan
from bench.store.schema import FAILURES, ClassScore, Dna, Launch
from bench.version import __version__

_LAYOUT = 1  # bump when a target lays out the same record in another way: an export of the old one is then replaced

# Of a launch's row: said elsewhere, or no finding.
_NOT_A_FINDING = {"study_id", "launch_id", "schema_version", "method_version", "unavailable"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of the study: its value, and who set it."""

    name: str
    value: Any  # as JSON has it
    origin: str


@dataclass(frozen=True, kw_only=True)
class Point:
    """A moment of a launch, on every axis, and what was measured there."""

    index: int  # epochs trained, from 1; or the step, from 0
    samples: int  # trained on so far, all ranks
    seconds: float  # of training and evaluation so far, for epochs; since the first barrier, for steps
    values: Mapping[str, float]  # what is missing is absent

    @property
    def numbers(self) -> dict[str, float]:
        """The values, and where they stand on the other axes."""
        return {"samples": self.samples, "seconds": self.seconds, **self.values}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One launch, as a tracker takes a run."""

    launch: Launch
    dna: Dna | None
    epochs: tuple[Point, ...]
    steps: tuple[Point, ...]
    classes: tuple[ClassScore, ...]  # after the last epoch; one for each class, in order of labels
    weights: Path | None  # the checkpoint of its last evaluated epoch, else the newest

    @property
    def short(self) -> str:
        """The part of the launch's id after the study's."""
        return self.launch.launch_id.removeprefix(f"{self.launch.study_id}.")

    @property
    def name(self) -> str:
        return f"{self.launch.configuration} {self.short}"

    @property
    def failed(self) -> bool:
        return self.launch.status in FAILURES

    @property
    def began_at(self) -> float:
        """When its first step was taken, in seconds since 1970; its start where that is not known."""
        return datetime.fromisoformat(self.launch.started_at).timestamp() + (self.launch.startup_s or 0.0)

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers of the launch's row, by column; what is missing is absent."""
        return {
            name: float(value)
            for name, value in self.facts.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        }

    @property
    def texts(self) -> dict[str, Any]:
        """All that the launch's row tells and is no number."""
        numbers = self.numbers
        return {name: value for name, value in self.facts.items() if name not in numbers}

    @property
    def facts(self) -> dict[str, Any]:
        """All that the launch's row tells, by column; what is missing is absent."""
        columns = {item.name: getattr(self.launch, item.name) for item in fields(self.launch)}
        return {
            name: value for name, value in columns.items() if name not in _NOT_A_FINDING and value not in {None, ()}
        }


@dataclass(frozen=True, kw_only=True)
class Record:
    """A study and what it found: everything that a target writes."""

    plan: Plan
    study: Study
    settings: tuple[Setting, ...]
    runs: tuple[Run, ...]  # in the order they were planned
    report: str  # in Markdown
    only: str | None = None  # the id of the one launch that is exported

    @property
    def name(self) -> str:
        """What is exported: the id of the study, or of the launch."""
        return self.only or self.plan.study_id

    @property
    def estimates(self) -> dict[str, float]:
        """What trackers show of the study: `samples_per_s/ROW` and `speedup/ROW`; what is missing is absent."""
        return {
            f"{name}/{row.key}": estimate.estimate
            for row in self.study.rows
            for name, estimate in (("samples_per_s", row.throughput), ("speedup", row.speedup))
            if estimate is not None
        }

    @property
    def scalars(self) -> dict[str, str | float | bool]:
        """Every setting's value by its name, as trackers take one."""
        return {each.name: scalars(each) for each in self.settings}

    @property
    def configuration(self) -> dict[str, dict[str, Any]]:
        """Every setting's value, and who set it."""
        return {
            "settings": {each.name: each.value for each in self.settings},
            "origins": {each.name: each.origin for each in self.settings},
        }

    @property
    def evaluated(self) -> str:
        """Which weights every accuracy is of."""
        decay = self.plan.workload.recipe.ema_decay
        return f"averaged weights (ema_decay {decay:g})" if decay else "the weights that the optimizer left"

    @property
    def created_at(self) -> float:
        """Seconds since 1970."""
        return datetime.fromisoformat(self.plan.created_at).timestamp()

    @property
    def ended_at(self) -> float:
        """When the last launch ended, in seconds since 1970."""
        return max(
            [
                datetime.fromisoformat(each.launch.started_at).timestamp() + (each.launch.total_s or 0.0)
                for each in self.runs
            ],
            default=self.created_at,
        )


def scalars(setting: Setting) -> str | float | bool:
    """A setting's value as trackers take one: a number, a truth value or a text; a dash for one that is not set."""
    value = setting.value
    if isinstance(value, str | int | float):
        return value
    if value is None or value in ([], {}):
        return "-"
    return ",".join(map(str, value)) if isinstance(value, list) else json.dumps(value, sort_keys=True)


def ids(dna: Dna | None) -> dict[str, str]:
    """The ids of a fingerprint by their names; those it has not are absent."""
    found = {"hw_id": dna.hw_id, "sw_id": dna.sw_id, "num_id": dna.num_id} if dna else {}
    return {name: value for name, value in found.items() if value is not None}


def digest(content: Record | Run) -> str:
    """Equal for equal content written by the same version of bench: an export that has it need not be written again."""
    # Where a file lies is no content; its name is.
    text = json.dumps(asdict(content), sort_keys=True, default=lambda file: file.name)
    return hashlib.sha256(f"{_LAYOUT} {__version__} {text}".encode()).hexdigest()[:16]
