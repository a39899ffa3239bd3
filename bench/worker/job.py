"""What a rank is told, and what it leaves behind: two JSON files and one of arrays, in the launch's folder. No torch."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.plan import Configuration, Workload, workload_from_json

JOB = "job.json"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One launch, as every rank of it is told."""

    launch_id: str
    workload: Workload
    configuration: Configuration
    oversubscribed: bool
    stall_s: float  # a collective that takes longer has failed
    minimum_steps: int  # in a window of seconds, however slow a step is

    def write(self, folder: Path) -> Path:
        """Put the job where its ranks will look; returns the file."""
        file = folder / JOB
        file.write_text(json.dumps(asdict(self)))
        return file

    @classmethod
    def read(cls, file: Path) -> "Job":
        """The inverse of `write`."""
        told = json.loads(file.read_text())
        workload, configuration = workload_from_json(told["workload"]), Configuration(**told["configuration"])
        return cls(**{**told, "workload": workload, "configuration": configuration})


def result_file(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.json"


def steps_file(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.steps.npz"


def write_result(folder: Path, rank: int, result: Mapping[str, Any]) -> None:
    """Leave a rank's result whole or not at all."""
    file = result_file(folder, rank)
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(result))
    os.replace(draft, file)


def read_result(folder: Path, rank: int) -> dict[str, Any] | None:
    """A rank's result; None when it left none."""
    try:
        return json.loads(result_file(folder, rank).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
