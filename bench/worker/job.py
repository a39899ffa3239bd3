"""What a rank is asked and what it leaves behind: two JSON files and one of arrays in its folder. No torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import whole_file
from bench.documents import noun_of
from bench.measured import MeasuredClass, MeasuredEpoch, MeasuredLayer
from bench.plan import Checkpointing, Configuration, Workload

JOB = "job.json"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One launch, as every rank of it is asked."""

    launch_id: str
    workload: Workload
    configuration: Configuration
    oversubscribed: bool
    stall_s: float  # without a step for this long, the supervisor ends the launch
    minimum_steps: int  # in a window of seconds, however slow a step is
    keep: Checkpointing = field(default_factory=Checkpointing)
    checkpoints: str | None = None  # folder that rank 0 writes them into, with those of earlier attempts; None: none
    pictures: str | None = None  # folder of the anatomy's; None: none
    has_ceilings: bool = False  # of this machine were measured, so operations are counted on a CPU too

    def write(self, folder: Path) -> None:
        """Put the job where its ranks will look."""
        (folder / JOB).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> "Job":
        """The inverse of `write`."""
        return noun_of(cls, json.loads(file.read_text()))


@dataclass(frozen=True, kw_only=True)
class EpochResult(MeasuredEpoch):
    """One epoch, with each class's scores."""

    classes: tuple[MeasuredClass, ...]


@dataclass(frozen=True, kw_only=True)
class RankResult:
    """What a rank that ended well says of itself; its steps lie beside it in an array file."""

    rank: int
    world_size: int
    device_name: str
    distinct_devices: int  # of the whole group
    threads: int
    params: int
    flop_per_sample: float | None = None  # None: not counted, on a CPU without measured ceilings
    epoch_samples: int | None  # None: synthetic data has no epoch
    first_step_monotonic_ns: int
    closure_error: float | None  # worst of its segments; None without a window
    clock_ns_per_step: float | None = None
    compute_step_ns: int | None = None  # median step without synchronising gradients; None: nobody to synchronise with
    gradient_error: float | None = None  # of all ranks; None with nobody to average with
    gradient_cause: str | None = None  # `rank` or `wrapper`, where that error is more than rounding
    loss_first: float | None  # None: not finite
    loss_last: float | None
    losses_finite: bool
    weights_moved: bool
    weights_equal: bool | None = None  # None: nobody to agree with
    peak_memory_bytes: int | None
    window_cpu_s: float
    window_switches: int
    energy_j: float | None = None  # None: another rank reads it for this one, or `energy_gap` says why
    energy_gap: str | None = None
    # What limited it, by name ("values"), and for what could not be read, why ("gaps"): see `bench.worker.meters`.
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"values": {}, "gaps": {}})
    hardware_tag: str | None = None  # of its host, from the host's first rank; None on one node
    boot_tag: str | None = None  # equal on hosts that are one running machine; None on one node
    epochs: list[EpochResult]  # of rank 0; empty elsewhere
    resumed_epoch: int | None = None  # whole epochs trained by the checkpoint it went on from; None: there was none
    resumed_step: int | None = None  # and steps into the next
    checkpoint_s: float | None = None  # spent writing checkpoints; None: none are kept
    anatomy: bool = False  # the layers were looked into, so nothing was timed
    layers: list[MeasuredLayer] = field(default_factory=list)  # of rank 0; empty without an anatomy
    warnings: list[str] = field(default_factory=list)  # of rank 0
    unavailable: dict[str, str] = field(default_factory=dict)  # of the above -> why it could not be found out
    source: dict[str, str] = field(default_factory=dict)  # the user's loaded files -> digest of the content
    edited: list[str] = field(default_factory=list)  # of these, what had another content at the end
    changed: dict[str, list[Any]] = field(default_factory=dict)  # of its process, see `process_state.Watch.changed`
    cores: str | None = None  # that it might run on when its window ended; None: the system does not tell
    collection_s: float | None = None  # that the garbage collector took of the window
    data_hash: str | None = None  # None: synthetic data
    data_account: str | None = None  # of rank 0, as JSON; None: synthetic data

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RankResult":
        """The inverse of `asdict`, with the status that stands beside it left out."""
        return noun_of(cls, {name: value for name, value in document.items() if name != "status"})


def result_file(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.json"


def steps_file(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.steps.npz"


def write_result(folder: Path, rank: int, result: Mapping[str, Any]) -> None:
    """Leave a rank's result whole or not at all."""
    whole_file.write({result_file(folder, rank): json.dumps(result).encode()})


def read_result(folder: Path, rank: int) -> dict[str, Any] | None:
    """A rank's result; None when it left none."""
    try:
        document: dict[str, Any] = json.loads(result_file(folder, rank).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return document
